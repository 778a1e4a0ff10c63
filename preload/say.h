/* What egret tells a person: single lines on the program's standard error, whole, escaped, never into somebody else's file.
 *
 * Descriptor 2 is remembered at start by device and inode (early.h); when a program closed or reused it, nothing is written.
 */
#ifndef EGRET_SAY_H
#define EGRET_SAY_H

#include "policy/log.h"

/* Is descriptor 2 what it was at the start, and no connection? Then lines may be written there. */
bool egret_say_can(void);
void egret_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, once a process for each KEY (1..63). */
void egret_say_once(unsigned key, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The line of a denial, once a destination and process. HOST or ADDR may be absent; PORT 0: not known. */
void egret_say_denied(const char *protocol, const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict);
/* The same for a ClientHello that was refused; SERVER_NAME (escaped): what it asked for, NULL: nothing. */
void egret_say_hello_denied(const char *host, const struct egret_addr *addr, uint16_t port, const struct egret_verdict *verdict,
			    const char *server_name);
/* The line of a denied request, once a destination, method and reason; of one that passed, of what went wrong with its response (event->error),
 * once a destination and error; else none. */
void egret_say_request(const struct egret_event *event);

#endif
