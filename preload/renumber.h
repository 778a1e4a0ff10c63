/* MySQL's packets after TLS was put below a client that knows nothing of it: the server has seen one packet more, SSLRequest, so that in the
 * phase of authentication the program's packets are numbered one higher, and the server's one lower. Every command after it begins
 * at 0 again, which both sides agree on.
 *
 * Bytes as they pass, however they are cut; changed in place. One direction each. Owner and lock: the wire's (wire.h).
 */
#ifndef EGRET_RENUMBER_H
#define EGRET_RENUMBER_H

#include <stddef.h>
#include <stdint.h>

struct egret_renumber {
	int8_t by;     /* what is added; 0: off, and off again when the phase is over */
	uint8_t head;  /* bytes of the header that were seen */
	uint32_t left; /* bytes of the payload that are to come */
	uint32_t seen; /* ... that were */
	uint32_t packets;
};

/* From the program: the flags of the first packet also say CLIENT_SSL; a packet numbered 0 is a command, and the end. */
void egret_renumber_up(struct egret_renumber *it, uint8_t *data, size_t len);
/* From the server: a packet that begins with 0x00 (OK) or 0xff (ERR) is the last. */
void egret_renumber_down(struct egret_renumber *it, uint8_t *data, size_t len);

#endif
