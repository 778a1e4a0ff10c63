/* A table of hosts: open addressing over an array of nodes. A policy may have 100 000 of them: a node and its share of the slots take some
 * 35 bytes, half of what a chained table of pointers needs, and a look-up meets two cache lines, whatever the size.
 *
 * Owner: the policy's index. Keys are the caller's, and outlive the table. Filled by one thread, then constant.
 */
#ifndef EGRET_HOSTS_H
#define EGRET_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One host with the entries that name it. */
struct egret_host_node {
	const void *key; /* a name, ".suffix", a socket path, or an egret_net_key */
	uint32_t len;    /* bytes of the key */
	uint32_t hash;
	uint32_t ref;
	uint32_t next; /* 1 + index into the index's links; 0: no more */
};

struct egret_hosts {
	struct egret_host_node *nodes; /* malloc'ed; in the order in which they came */
	size_t count, room;
	uint32_t *slots; /* malloc'ed; 1 + number of a node; 0: free. At most three quarters are taken */
	size_t slot_count; /* a power of two, or 0 */
};

uint32_t egret_hosts_hash(const void *key, size_t len);
struct egret_host_node *egret_hosts_find(const struct egret_hosts *hosts, const void *key, size_t len);
/* The node of KEY, whose hash is HASH, a new one with *IS_NEW; valid until the next is added. NULL: memory is out. */
struct egret_host_node *egret_hosts_add(struct egret_hosts *hosts, const void *key, size_t len, uint32_t hash, bool *is_new);
/* Asks for the memory where a key of that HASH will be looked for. */
void egret_hosts_fetch(const struct egret_hosts *hosts, uint32_t hash);
/* Makes room for COUNT hosts in all. Without memory nothing changes. */
void egret_hosts_reserve(struct egret_hosts *hosts, size_t count);
/* Gives back the room for more. */
void egret_hosts_fit(struct egret_hosts *hosts);
void egret_hosts_free(struct egret_hosts *hosts);

#endif
