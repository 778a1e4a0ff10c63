/* A policy under construction: what the setters fill, section by section. Owner: the loader; lives for one load. */
#ifndef EGRET_BUILD_H
#define EGRET_BUILD_H

#include "compiled.h"
#include "draft.h"

/* A growing array of SIZE-byte items. */
struct egret_vector {
	void *items;
	size_t count, room;
};

/* One item of `include`: a path or pattern, absolute, and where it stands. */
struct egret_include {
	const char *pattern;
	unsigned line;
};

/* A file of the policy. */
struct egret_file {
	const char *path; /* stored once */
	const char *text;
	size_t len; /* bytes */
};

/* The titles so far: an open-addressed table, at most half full, so that a load of many entries neither grows it nor allocates for each. */
struct egret_title {
	uint32_t hash, number; /* 1 + index of the entry; 0: free */
};
struct egret_titles {
	struct egret_title *slots;
	size_t mask;
};

struct egret_build {
	struct egret_policy *policy;
	struct egret_intern intern; /* strings, port lists and settings, in the policy's arena */
	struct egret_err *err, *warn; /* warn may be NULL */
	struct egret_vector files;    /* struct egret_file; the first one's text is the caller's, the others' malloc'ed */
	struct egret_titles titles;
	const char *file;             /* of the section being built; stored once */
	unsigned settings_line;       /* of [egret]'s title; 0: none yet */
	struct egret_tls_settings tls;      /* being filled: [egret]'s, or an entry's */
	struct egret_tls_settings defaults; /* what entries start from */
	const struct egret_tls_settings *shared; /* the stored form of DEFAULTS */
	struct egret_entry entry;           /* being filled */
	bool tls_given, protocol_given, internal_given;
	unsigned tls_line; /* of the first tls_* key */
	struct egret_vector hosts, ports, endpoints, http_allow, http_deny, pins; /* of the entry */
	struct egret_vector includes;                                            /* struct egret_include */
};

/* Appends a copy of ITEM; on failure the policy's arena is marked failed. */
void egret_push(struct egret_build *build, struct egret_vector *vector, const void *item, size_t size);

/* A host as the policy writes it. */
enum egret_host_kind { EGRET_HOST_BAD = 0, EGRET_HOST_NAME, EGRET_HOST_SUFFIX, EGRET_HOST_NET, EGRET_HOST_PATH };
struct egret_host {
	enum egret_host_kind kind;
	char text[EGRET_NAME_MAX + 2]; /* canonical; of a suffix with its "*." */
	struct egret_addr net;
	unsigned bits;
};

/* Parses an item of `hosts` or `internal`. Kind EGRET_HOST_BAD: an error was added. */
struct egret_host egret_host_parse(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
				   const char *item, size_t len);
/* Socket paths: no doubled slash, no "." segment, /var/run is /run. False: too long, or neither absolute nor abstract. */
bool egret_path_canonical(const char *path, size_t len, char *out, size_t size);

/* [egret] of the first file into the policy; then the entries of all. Errors go to build->err. */
void egret_compile_settings(struct egret_build *build);
void egret_compile_entries(struct egret_build *build);
/* Checks the filled entry as a whole (check.c); of a DAMAGED one it is not known what it lacks. False: an error was added. */
bool egret_check_entry(struct egret_build *build, const struct egret_section *section, bool damaged);
/* Two allow entries of equal specificity with different settings (conflict.c). */
void egret_check_conflicts(struct egret_build *build);
/* What `egret check` warns of (warn.c); only when build->warn. */
void egret_warn_of(struct egret_build *build);

#endif
