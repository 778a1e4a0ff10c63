#include "renumber.h"

#include <stdbool.h>

#define HEAD 4          /* bytes: length (3, little-endian), number */
#define SSL_BYTE 1      /* of the first packet's payload, the handshake response's flags */
#define CLIENT_SSL 0x08 /* of that byte */

/* One byte of a header. True: it was the number, which stands in *BYTE. */
static bool head(struct egret_renumber *it, const uint8_t *byte)
{
	if (it->head == 0)
		it->left = it->seen = 0;
	if (it->head < HEAD - 1) {
		it->left |= (uint32_t)*byte << (8 * it->head++);
		return false;
	}
	it->head = 0;
	it->packets++;
	return true;
}

/* Passes over the payload from AT on; returns where the next header's bytes are. */
static size_t skip(struct egret_renumber *it, size_t at, size_t len)
{
	size_t count = it->left < len - at ? it->left : len - at;
	it->left -= (uint32_t)count;
	it->seen += (uint32_t)count;
	return at + count;
}

static bool in_payload(const struct egret_renumber *it) { return it->head == 0 && it->left > 0; }

void egret_renumber_up(struct egret_renumber *it, uint8_t *data, size_t len)
{
	for (size_t at = 0; it->by && at < len;) {
		if (in_payload(it)) {
			uint32_t to_flag = SSL_BYTE - it->seen; /* huge once it has passed */
			if (it->packets == 1 && to_flag < it->left && to_flag < len - at)
				data[at + to_flag] |= CLIENT_SSL;
			at = skip(it, at, len);
			continue;
		}
		if (head(it, &data[at])) {
			if (data[at] == 0)
				it->by = 0;
			data[at] = (uint8_t)(data[at] + it->by);
		}
		at++;
	}
}

void egret_renumber_down(struct egret_renumber *it, uint8_t *data, size_t len)
{
	for (size_t at = 0; it->by && at < len;) {
		if (in_payload(it)) {
			if (it->seen == 0 && (data[at] == 0x00 || data[at] == 0xff))
				it->by = 0;
			at = skip(it, at, len);
			continue;
		}
		if (head(it, &data[at]))
			data[at] = (uint8_t)(data[at] + it->by);
		at++;
	}
}
