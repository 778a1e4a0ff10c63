/* Every TLS setting of an entry that originates, and where it comes from. For `egret explain`. */
#ifndef EGRET_EXPLAIN_TLS_H
#define EGRET_EXPLAIN_TLS_H

#include "policy/policy.h"

/* POLICY_FILE holds [egret]; HOST is what the program asks for. */
void egret_explain_tls_text(const struct egret_entry *entry, const char *policy_file, const char *host);
/* The JSON array's value: objects with key, value, file and line (null where it is the default). */
void egret_explain_tls_json(const struct egret_entry *entry, const char *policy_file, const char *host);

#endif
