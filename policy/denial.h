/* A refusal as a person reads it on stderr: the same line in every layer. Pure but for the set of what was told. */
#ifndef EGRET_DENIAL_H
#define EGRET_DENIAL_H

#include "log.h"

#include <stdatomic.h>

#define EGRET_DENIAL_LINE 2048u /* bytes that a line needs at most */

/* Zero-initialise, fill what is known. Pointers are borrowed. */
struct egret_denial {
	const char *what;   /* tcp, udp, unix, dns, tls, "http GET", or what the sandbox refuses */
	const char *path;   /* of a request */
	const char *host;   /* a name, or the path of a unix socket; NULL or "": only the address is known */
	const struct egret_addr *addr; /* NULL or of no family: not known */
	uint16_t port;      /* 0: none, or not known */
	const char *why;    /* the rest of the sentence */
	const char *detail; /* behind it: the server name that was asked for, the rule; NULL: none */
	const struct egret_entry *entry; /* that decided; NULL: none did */
	bool passed;        /* no refusal: what went wrong with one that passed */
	bool nameable;      /* an entry would lift it: the line says how to make one */
	const char *allow;  /* the name that it would have to cover; NULL: HOST or ADDR */
};

/* What a verdict says: why, the entry, and whether it is the lack of one. */
void egret_denial_judged(struct egret_denial *denial, const struct egret_verdict *verdict);

/* The same of a ClientHello that asked for SERVER_NAME (escaped, borrowed; NULL: for none): an entry for it would lift the refusal. NAME is
 * its room. */
void egret_denial_hello(struct egret_denial *denial, const struct egret_verdict *verdict, const char *server_name, char name[EGRET_NAME_MAX]);

/* What an http event says of a request that was refused, or of what went wrong with one that passed (event->error); KIND has room for
 * its `what`. */
#define EGRET_DENIAL_KIND 48u
void egret_denial_request(struct egret_denial *denial, const struct egret_event *event, char kind[EGRET_DENIAL_KIND]);

/* "denied tcp evil.example:443 (203.0.113.9): no entry covers it; to allow it: egret allow evil.example:443", not escaped. */
void egret_denial_line(const struct egret_denial *denial, char *line, size_t size);

/* What was told. It forgets when it is full: a line too many is better than one too few. Thread-safe, lock-free. */
struct egret_told {
	_Atomic uint64_t seen[512];
};

/* Is this the first of its kind, destination and reason that PROCESS (0: the only one) is told of? */
bool egret_denial_is_new(struct egret_told *told, int process, const struct egret_denial *denial);

#endif
