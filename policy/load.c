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

/* The path is copied, the text is not. False: memory is out. */
static bool add_file(struct egret_build *build, const char *path, const char *text, size_t len)
{
	struct egret_file file = {.path = egret_intern_text(&build->intern, path, strlen(path)), .text = text, .len = len};

	if (file.path)
		egret_push(build, &build->files, &file, sizeof(file));
	return !build->policy->arena.failed;
}

static bool is_loaded(const struct egret_build *build, const char *path)
{
	const struct egret_file *files = build->files.items;

	for (size_t i = 0; i < build->files.count; i++)
		if (strcmp(files[i].path, path) == 0)
			return true;
	return false;
}

/* The files of one item of `include`. What keeps one from being read is told where the item stands. */
static void load_include(struct egret_build *build, const struct egret_include *include)
{
	char **files = NULL;
	size_t count = 0, room = 0;

	if (!egret_include_files(include->pattern, &files, &count, &room))
		build->policy->arena.failed = true;
	for (size_t i = 0; i < count; i++) {
		struct egret_err err = {0};
		struct stat seen;
		size_t len;
		char *text = is_loaded(build, files[i]) ? NULL : read_policy_file(files[i], &len, &seen, &err);

		if (text)
			egret_watch(build->policy, files[i], &seen);
		if (text && !add_file(build, files[i], text, len))
			free(text);
		for (size_t k = 0; k < err.count; k++)
			egret_err_add(build->err, build->file, include->line, "include: %s %s", err.items[k].file, err.items[k].text);
		build->err->no_memory |= err.no_memory;
		egret_err_free(&err);
		free(files[i]);
	}
	free(files);
}

static void load_includes(struct egret_build *build)
{
	const struct egret_include *includes = build->includes.items;
	struct egret_policy *policy = build->policy;
	const char **patterns = egret_arena_alloc(&policy->arena, build->includes.count * sizeof(*patterns), sizeof(*patterns));

	if (!patterns)
		return;
	for (size_t i = 0; i < build->includes.count; i++) {
		patterns[i] = includes[i].pattern;
		load_include(build, &includes[i]);
	}
	policy->patterns = patterns;
	policy->pattern_count = build->includes.count;
	policy->included = egret_include_digest(policy->patterns, policy->pattern_count);
}

static void free_build(struct egret_build *build)
{
	struct egret_vector *vectors[] = {&build->hosts, &build->ports, &build->endpoints, &build->http_allow, &build->http_deny,
		&build->pins, &build->includes, &build->files};
	struct egret_file *files = build->files.items;

	for (size_t i = 1; i < build->files.count; i++)
		free((void *)files[i].text);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		free(vectors[i]->items);
	free(build->titles.slots);
	egret_intern_free(&build->intern);
}

static void compile_files(struct egret_build *build, bool with_includes)
{
	struct egret_policy *policy = build->policy;

	egret_compile_settings(build);
	if (with_includes && build->includes.count)
		load_includes(build);
	egret_compile_entries(build);
	policy->arena.failed |= !egret_index_close(&policy->index);
	if (!egret_err_any(build->err) && !policy->arena.failed)
		egret_check_conflicts(build);
	if (!egret_err_any(build->err) && build->warn)
		egret_warn_of(build);
}

/* SEEN: NULL for a policy from memory, whose includes are not read. */
static struct egret_policy *compile(const char *path, const char *text, size_t len, const struct stat *seen, struct egret_err *err,
				    struct egret_err *warn)
{
	struct egret_build build = {.policy = new_policy(), .err = err, .warn = warn};
	struct egret_policy *policy = build.policy;

	if (!policy) {
		egret_err_add(err, path, 0, "out of memory");
		return NULL;
	}
	build.intern.arena = &policy->arena;
	/* Zeroed whole, padding too: settings are compared as bytes. */
	memset(&build.tls, 0, sizeof(build.tls));
	build.tls.handshake_timeout_ms = 10000;
	build.tls.session_cache = true;
	if (seen)
		egret_watch(policy, path, seen);
	if (add_file(&build, path, text, len))
		compile_files(&build, seen != NULL);
	if (policy->arena.failed)
		egret_err_add(err, path, 0, "out of memory");
	free_build(&build);
	if (warn)
		egret_err_sort(warn, path);
	if (egret_err_any(err)) {
		egret_err_sort(err, path);
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
	free(text);
	return policy;
}

struct egret_policy *egret_policy_parse(const char *file, const char *text, size_t len, struct egret_err *err, struct egret_err *warn)
{
	return compile(file, text, len, NULL, err, warn);
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
