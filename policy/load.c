#include "setters.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LARGEST_FILE ((off_t)256 * 1024 * 1024)

static struct egret_policy *new_policy(void)
{
	struct egret_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->refs = 1;
	policy->internal_loopback = true;
	policy->defaults = (struct egret_defaults){.mode = EGRET_ENFORCE, .dns_filter = true, .dns_min_ttl_ms = 60000, .deny_errno = EACCES, .log_format = EGRET_LOG_JSON};
	return policy;
}

/* The whole file, malloc'ed; NULL after adding an error. */
static char *read_all(int fd, const char *path, off_t size, size_t *len, struct egret_err *err)
{
	char *text = malloc((size_t)size + 1);
	size_t got = 0;

	while (text && got <= (size_t)size) {
		long n = egret_raw_read(fd, text + got, (size_t)size + 1 - got);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			if (n == 0 && got <= (size_t)size) {
				*len = got;
				return text;
			}
			egret_err_add(err, path, 0, "cannot be read: %s", strerror((int)-n));
			free(text);
			return NULL;
		}
		got += (size_t)n;
	}
	egret_err_add(err, path, 0, text ? "changed while it was read" : "out of memory");
	free(text);
	return NULL;
}

static char *read_policy_file(const char *path, size_t *len, struct stat *seen, struct egret_err *err)
{
	long fd = egret_raw_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	char *text = NULL;

	if (fd < 0) {
		egret_err_add(err, path, 0, "cannot be opened: %s", strerror((int)-fd));
		return NULL;
	}
	if (fstat((int)fd, seen) < 0)
		egret_err_add(err, path, 0, "cannot be examined: %s", strerror(errno));
	else if (!S_ISREG(seen->st_mode))
		egret_err_add(err, path, 0, "is not a regular file");
	else if (seen->st_mode & S_IWOTH)
		egret_err_add(err, path, 0, "everybody may write this policy; chmod o-w it");
	else if (seen->st_size > LARGEST_FILE)
		egret_err_add(err, path, 0, "is larger than 256 MiB");
	else
		text = read_all((int)fd, path, seen->st_size, len, err);
	egret_raw_close((int)fd);
	return text;
}

static bool is_loaded(const struct egret_draft *draft, const char *path)
{
	for (size_t i = 0; i < draft->file_count; i++)
		if (strcmp(draft->files[i].path, path) == 0)
			return true;
	return false;
}

/* The files of one item of `include`. What keeps one from being read is told where the item stands. */
static void load_include(struct egret_build *build, struct egret_draft *draft, const struct egret_include *include)
{
	const char *from = draft->files[0].path;
	char **files = NULL;
	size_t count = 0, room = 0;

	if (!egret_include_files(include->pattern, &files, &count, &room))
		build->policy->arena.failed = true;
	for (size_t i = 0; i < count; i++) {
		struct egret_err err = {0};
		struct stat seen;
		size_t len;
		char *text = is_loaded(draft, files[i]) ? NULL : read_policy_file(files[i], &len, &seen, &err);

		if (text) {
			egret_watch(build->policy, files[i], &seen);
			egret_draft_add(draft, files[i], text, len, &seen, true, build->err);
		}
		for (size_t k = 0; k < err.count; k++)
			egret_err_add(build->err, from, include->line, "include: %s %s", err.items[k].file, err.items[k].text);
		build->err->no_memory |= err.no_memory;
		egret_err_free(&err);
		free(files[i]);
	}
	free(files);
}

static void load_includes(struct egret_build *build, struct egret_draft *draft)
{
	const struct egret_include *includes = build->includes.items;
	struct egret_policy *policy = build->policy;
	const char **patterns = egret_arena_alloc(&policy->arena, build->includes.count * sizeof(*patterns), sizeof(*patterns));

	if (!patterns)
		return;
	for (size_t i = 0; i < build->includes.count; i++) {
		patterns[i] = includes[i].pattern;
		load_include(build, draft, &includes[i]);
	}
	policy->patterns = patterns;
	policy->pattern_count = build->includes.count;
	policy->included = egret_include_digest(policy->patterns, policy->pattern_count);
}

static void free_build(struct egret_build *build)
{
	struct egret_vector *vectors[] = {&build->hosts, &build->ports, &build->endpoints, &build->http_allow, &build->http_deny,
		&build->pins, &build->includes};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		free(vectors[i]->items);
	egret_intern_free(&build->intern);
}

/* Takes over TEXT. SEEN: NULL for a policy from memory, whose includes are not read. */
static struct egret_policy *compile(const char *file, char *text, size_t len, const struct stat *seen, struct egret_err *err,
				    struct egret_err *warn)
{
	struct egret_build build = {.policy = new_policy(), .err = err, .warn = warn};
	struct egret_policy *policy = build.policy;
	struct egret_draft draft = {0};

	if (!policy) {
		egret_err_add(err, file, 0, "out of memory");
		free(text);
		return NULL;
	}
	build.intern.arena = &policy->arena;
	/* Zeroed whole, padding too: settings are compared as bytes. */
	memset(&build.tls, 0, sizeof(build.tls));
	build.tls.handshake_timeout_ms = 10000;
	build.tls.session_cache = true;
	if (seen)
		egret_watch(policy, file, seen);
	egret_draft_add(&draft, file, text, len, seen, false, err);
	if (draft.file_count)
		egret_compile_egret(&build, &draft, 0);
	if (seen && build.includes.count)
		load_includes(&build, &draft);
	egret_compile_entries(&build, &draft);
	egret_index_fit(&policy->index);
	if (!egret_err_any(err) && !policy->arena.failed && !draft.no_memory)
		egret_check_conflicts(&build);
	if (!egret_err_any(err) && warn)
		egret_warn_of(&build);
	if (policy->arena.failed || draft.no_memory)
		egret_err_add(err, file, 0, "out of memory");
	free_build(&build);
	egret_draft_free(&draft);
	if (egret_err_any(err)) {
		egret_policy_unref(policy);
		return NULL;
	}
	return policy;
}

struct egret_policy *egret_policy_load(const char *file, struct egret_err *err, struct egret_err *warn)
{
	struct stat seen;
	struct egret_policy *policy = NULL;
	size_t len;
	char *text = read_policy_file(file, &len, &seen, err);

	if (text)
		policy = compile(file, text, len, &seen, err, warn);
	return policy;
}

struct egret_policy *egret_policy_parse(const char *file, const char *text, size_t len, struct egret_err *err, struct egret_err *warn)
{
	char *copy = malloc(len + 1);

	if (!copy) {
		egret_err_add(err, file, 0, "out of memory");
		return NULL;
	}
	memcpy(copy, text, len);
	return compile(file, copy, len, NULL, err, warn);
}

struct egret_policy *egret_policy_deny_all(void)
{
	struct egret_policy *policy = new_policy();

	if (policy)
		policy->missing = true;
	return policy;
}

struct egret_policy *egret_policy_ref(struct egret_policy *policy)
{
	if (policy)
		atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

void egret_policy_unref(struct egret_policy *policy)
{
	if (!policy || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
		return;
	egret_index_free(&policy->index);
	egret_arena_free(&policy->arena);
	free(policy->entries);
	free(policy->watched);
	free(policy);
}

const struct egret_defaults *egret_policy_defaults(const struct egret_policy *policy)
{
	return &policy->defaults;
}

size_t egret_policy_entry_count(const struct egret_policy *policy)
{
	return policy->entry_count;
}

const struct egret_entry *egret_policy_entry(const struct egret_policy *policy, size_t i)
{
	return i < policy->entry_count ? &policy->entries[i] : NULL;
}
