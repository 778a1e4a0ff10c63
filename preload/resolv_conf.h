/* The name servers of /etc/resolv.conf (resolv.conf(5)), read again when the file changed. Thread-safe. */
#ifndef EGRET_RESOLV_CONF_H
#define EGRET_RESOLV_CONF_H

#include "policy/addr.h"

bool egret_resolv_conf_has(const struct egret_addr *addr);

#endif
