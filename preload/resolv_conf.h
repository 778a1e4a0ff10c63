/* The name servers and search domains of /etc/resolv.conf (resolv.conf(5)), read again when the file changed. Thread-safe. */
#ifndef EGRET_RESOLV_CONF_H
#define EGRET_RESOLV_CONF_H

#include "policy/policy.h"

/* Reads it now; what cannot be read any more (chroot) stays as it was. */
void egret_resolv_conf_load(void);
bool egret_resolv_conf_has(const struct egret_addr *addr);
/* NAME without the search domain it ends with, into SHORTER. False: it ends with none. */
bool egret_resolv_conf_strip(const char *name, char shorter[EGRET_NAME_MAX]);

#endif
