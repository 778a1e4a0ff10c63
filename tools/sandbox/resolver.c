#include "resolver.h"
bool egret_resolver_open(struct egret_supervisor *sup) { (void)sup; return true; }
void egret_resolver_start(struct egret_supervisor *sup) { (void)sup; }
bool egret_resolver_takes(const struct egret_supervisor *sup, const struct egret_addr *addr) { (void)sup; (void)addr; return false; }
socklen_t egret_resolver_address(const struct egret_supervisor *sup, int domain, int type, struct sockaddr_storage *ss) { (void)sup; (void)domain;(void)type;(void)ss; return 0; }
bool egret_resolver_replace(struct egret_call *call, struct egret_target *target, int number) { (void)call;(void)target;(void)number; return false; }
