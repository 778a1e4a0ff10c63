/* What a user names on a command line: HOST:PORT, a URL, udp://HOST:PORT, unix://PATH. Nothing is resolved. */
#ifndef EGRET_TARGET_H
#define EGRET_TARGET_H

#include "policy/policy.h"

struct egret_target {
	enum egret_transport transport;
	char host[EGRET_NAME_MAX + 64]; /* as written, brackets off; for unix: empty */
	struct egret_addr addr;         /* when the host is an address in any form that the libc takes (inet_aton(3)) */
	uint16_t port;
	bool http;           /* an http:// URL: path is judged as a GET */
	bool https;          /* the program would speak TLS itself */
	const char *path;    /* of the URL, at least "/"; of unix://: the socket. Borrowed from the text */
};

/* False after printing what is wrong with TEXT, as an error of COMMAND. */
bool egret_target_parse(const char *command, const char *text, struct egret_target *target);

/* The request that the target stands for; it borrows from TARGET. */
void egret_target_request(const struct egret_target *target, struct egret_request *request);

#endif
