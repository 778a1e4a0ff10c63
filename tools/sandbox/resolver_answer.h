/* What the tree's resolver answers to one query. */
#ifndef EGRET_SANDBOX_RESOLVER_ANSWER_H
#define EGRET_SANDBOX_RESOLVER_ANSWER_H

#include "dns_reply.h"
#include "supervisor.h"

/* Judges the question, asks upstream where it must, remembers the addresses. False: no answer at all. Blocks; thread-safe. */
bool egret_resolver_answer(struct egret_supervisor *sup, const uint8_t *query, size_t len, struct egret_dns_reply *reply);

#endif
