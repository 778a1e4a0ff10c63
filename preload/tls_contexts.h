/* The TLS contexts in use: one for each settings object of the policy in force, made at its first origination and kept until the
 * policy is replaced. Thread-safe.
 */
#ifndef EGRET_TLS_CONTEXTS_H
#define EGRET_TLS_CONTEXTS_H

#include "engine.h"

/* A new connection of a context for SETTINGS (which live in POLICY). NULL with ERROR filled. */
struct egret_tls *egret_tls_contexts_open(const struct egret_engine *engine, struct egret_policy *policy, const struct egret_tls_settings *settings,
					  const char *host, uint16_t port, struct egret_tls_error *error);

/* Makes the context for SETTINGS now, with all its files; the system's CAs are those of BUNDLE (NULL: as usual). What cannot be made is
 * tried again, and said, at the first connection. */
void egret_tls_contexts_prepare(const struct egret_engine *engine, struct egret_policy *policy, const struct egret_tls_settings *settings,
				const char *bundle);

void egret_tls_contexts_before_fork(void);
void egret_tls_contexts_after_fork(void);

#endif
