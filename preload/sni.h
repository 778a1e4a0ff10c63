/* The server name that a program's own TLS asks for, read from its first bytes (RFC 8446 4.1.2, RFC 6066 3).
 *
 * For passthrough: the caller feeds what the program writes, sends nothing on while the state is NEED_MORE, then judges the name
 * and sends the held bytes (egret_sni_held) or resets. Memory is bounded by EGRET_SNI_MAX. No I/O, no hooked call.
 * Owner: the connection. Lock: the caller's; one thread at a time.
 */
#ifndef EGRET_SNI_H
#define EGRET_SNI_H

#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRET_SNI_MAX 65536 /* bytes of records that a ClientHello may take */

enum egret_sni_state {
	EGRET_SNI_MALFORMED = 0, /* starts like TLS and is no ClientHello, or is one of SSL 2's form: refuse it */
	EGRET_SNI_NEED_MORE,
	EGRET_SNI_HELLO,         /* complete; egret_sni_name has the name */
	EGRET_SNI_NOT_TLS        /* no TLS: the first bytes say so */
};

struct egret_sni;

struct egret_sni *egret_sni_new(void); /* NULL when memory is out */
void egret_sni_free(struct egret_sni *sni);

/* The next LEN bytes of the program. All of them are held; after a state other than NEED_MORE nothing more is taken and the state
 * stays. MALFORMED also when memory is out. */
enum egret_sni_state egret_sni_feed(struct egret_sni *sni, const void *data, size_t len);

/* The host_name of a HELLO, not terminated, any bytes; NULL: absent. Valid until egret_sni_free. */
const char *egret_sni_name(const struct egret_sni *sni, size_t *len);
/* The HELLO carries encrypted_client_hello (RFC 9849): the name is that of the front only. */
bool egret_sni_encrypted(const struct egret_sni *sni);
/* What egret_decide_hello judges, where the last feed gave STATE; the name is SNI's. NEED_MORE: broken, nothing more comes. */
struct egret_hello egret_sni_hello(const struct egret_sni *sni, enum egret_sni_state state);
/* Everything that was fed before the state left NEED_MORE, and with the feed that did. */
const uint8_t *egret_sni_held(const struct egret_sni *sni, size_t *len);

#endif
