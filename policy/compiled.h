/* The inside of a policy: entries, indexes, watched files. Immutable once loaded; readers take no lock. */
#ifndef EGRET_COMPILED_H
#define EGRET_COMPILED_H

#include "arena.h"
#include "hosts.h"
#include "policy.h"

#include <stdatomic.h>
#include <sys/stat.h>

/* What a host refers to: the number of an entry, or one of these. */
#define EGRET_REF_INTERNAL 0xffffffffu /* the `internal` list */
#define EGRET_REF_ENDPOINT 0x80000000u /* flag: the host is one of the entry's `addresses` */

struct egret_link {
	uint32_t ref, next;
};

struct egret_net_key {
	uint8_t family, bits, bytes[16];
};

/* A host that is to be put into its table. */
struct egret_waiting {
	struct egret_hosts *hosts; /* NULL: none waits */
	const void *key;
	size_t len;
	uint32_t hash, ref;
};

struct egret_index {
	struct egret_hosts names, nets;       /* keys in the policy's arena */
	struct egret_waiting waiting;
	struct egret_link *links;             /* malloc'ed */
	size_t link_count, link_room;
	uint64_t suffix_labels;  /* bit n: a suffix of n labels exists; bit 63: of 63 or more */
	uint64_t lengths[2][3];  /* IPv4, IPv6: bit n of word n/64: a network of n bits exists */
};

/* A file that the policy was made of, as it was then. */
struct egret_watched {
	const char *path;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	bool exists;
};

struct egret_policy {
	atomic_uint refs;
	bool missing; /* stands for a policy that could not be loaded */
	struct egret_arena arena;
	struct egret_defaults defaults;
	struct egret_entry *entries; /* malloc'ed */
	size_t entry_count, entry_room;
	struct egret_index index;
	bool internal_loopback, internal_private, any_deny;
	struct egret_watched *watched; /* malloc'ed */
	size_t watched_count, watched_room;
	const char *const *patterns; /* of `include` */
	size_t pattern_count;
	uint64_t included; /* digest of the names that the patterns matched */
};

/* ---- match.c ---- */

/* Add REF under a host; it can be found when the index is closed. False: memory is out. */
bool egret_index_add_path(struct egret_policy *policy, const char *path, uint32_t ref);
bool egret_index_add_name(struct egret_policy *policy, const char *name, bool suffix, uint32_t ref);
bool egret_index_add_net(struct egret_policy *policy, const struct egret_addr *net, unsigned bits, uint32_t ref);
/* All were added: gives back the room for more. False: memory is out. */
bool egret_index_close(struct egret_index *index);
void egret_index_free(struct egret_index *index);

enum egret_match { EGRET_MATCH_EXACT, EGRET_MATCH_SUFFIX, EGRET_MATCH_NET };
typedef void (*egret_visit)(void *ctx, uint32_t ref, enum egret_match match);

/* Visit what covers a canonical NAME, a socket path, or ADDR: the most specific host first, file order within one host. */
void egret_index_name(const struct egret_policy *policy, const char *name, egret_visit visit, void *ctx);
void egret_index_path(const struct egret_policy *policy, const char *path, egret_visit visit, void *ctx);
void egret_index_addr(const struct egret_policy *policy, const struct egret_addr *addr, egret_visit visit, void *ctx);

/* Does ENTRY cover PORT / anything on TRANSPORT? */
bool egret_entry_has_port(const struct egret_entry *entry, uint16_t port);
bool egret_entry_has_transport(const struct egret_entry *entry, enum egret_transport transport);

/* ---- decide.c ---- */

/* The last step of every decision: what a mode other than enforce makes of a denial. A missing policy has no mode. */
struct egret_verdict egret_relax(const struct egret_policy *policy, struct egret_verdict verdict, enum egret_mode mode);

/* Is PATH a socket of a daemon that opens connections or starts programs for whoever asks (docker.sock, D-Bus)? */
bool egret_path_is_powerful(const char *path);

/* ---- include.c, watch.c ---- */

/* The files that PATTERN matches, sorted by byte, appended to FILES (malloc'ed strings). A literal name is one, there or not. */
bool egret_include_files(const char *pattern, char ***files, size_t *count, size_t *room);
bool egret_is_pattern(const char *text);
/* A digest of the names that the policy's patterns match now. */
uint64_t egret_include_digest(const char *const *patterns, size_t count);
/* Remembers PATH as SEEN (NULL: as it is now). */
void egret_watch(struct egret_policy *policy, const char *path, const struct stat *seen);

#endif
