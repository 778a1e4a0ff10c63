#include "reload.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#define LOOK_MS 200    /* between two looks */
#define SETTLE_MS 200  /* a file that was written within this time may be unfinished ... */
#define SETTLE_MOST 2  /* ... but so many looks later it is read all the same */
#define RETRY 4        /* looks from one attempt to the next while the changed policy does not load */

static char policy_path[PATH_MAX];

/* An owner may give itself every right, and who can write a directory may put another file in its place; but for one that is sticky, where
 * only an owner replaces what is there (inode(7)). */
static bool is_ours(const char *path, bool sticky_protects)
{
	struct stat st;

	if (stat(path, &st) || st.st_uid == geteuid())
		return true;
	return !(sticky_protects && st.st_mode & S_ISVTX) && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

bool egret_tree_can_write(const char *path)
{
	char real[PATH_MAX], *slash;

	if (geteuid() == 0 || !realpath(path, real) || is_ours(real, false))
		return true;
	while ((slash = strrchr(real, '/')) && slash != real) {
		*slash = '\0';
		if (is_ours(real, true))
			return true;
	}
	return is_ours("/", true);
}

/* Could the command add a file that PATTERN matches? Directories with wildcards are not looked into: yes. */
static bool can_add(const char *pattern)
{
	char dir[PATH_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", pattern);
	slash = strrchr(dir, '/');
	if (!slash)
		return true;
	*slash = '\0';
	return egret_tree_can_write(dir[0] ? dir : "/");
}

static bool is_out_of_reach(const struct egret_policy *policy)
{
	const char *file, *pattern;
	struct stat st;

	for (size_t i = 0; (pattern = egret_policy_pattern(policy, i)); i++)
		if (can_add(pattern))
			return false;

	/* A symlink on the way would have to be followed step by step: such a policy stays as it was. */
	for (size_t i = 0; (file = egret_policy_file(policy, i)); i++)
		if (lstat(file, &st) || !S_ISREG(st.st_mode) || egret_tree_can_write(file))
			return false;
	return true;
}

static void replace(struct egret_supervisor *sup, struct egret_policy *fresh)
{
	struct egret_policy *old;

	pthread_mutex_lock(&sup->policy_lock);
	old = sup->policy;
	sup->policy = fresh;
	pthread_mutex_unlock(&sup->policy_lock);
	egret_policy_unref(old);
}

static void tell(struct egret_supervisor *sup, const char *reason, const char *error)
{
	struct egret_event event;

	egret_event_init(&event, EGRET_EVENT_RELOAD);
	event.layer = "sandbox";
	event.reason = reason;
	event.error = error;
	egret_trace(sup, &event);
	if (error)
		dprintf(STDERR_FILENO, "egret: %s: %s; the old policy holds\n", policy_path, error);
}

/* False: it failed, and that was said, AGAIN excepted. */
static bool load(struct egret_supervisor *sup, bool again)
{
	struct egret_err err = { 0 };
	struct egret_policy *fresh = egret_policy_load(policy_path, &err, NULL);

	if (fresh && is_out_of_reach(fresh)) {
		replace(sup, fresh);
		tell(sup, "reloaded", NULL);
		egret_err_free(&err);
		return true;
	}
	for (size_t i = 0; !again && i < err.count; i++) {
		char line[1024], clean[2048];

		egret_err_format(&err, i, line, sizeof(line));
		dprintf(STDERR_FILENO, "egret: %s\n", egret_escape(line, strlen(line), clean, sizeof(clean)));
	}
	if (!again)
		tell(sup, "kept the old policy", fresh ? "the changed policy names files that the command can write" : "the changed policy did not load");
	egret_policy_unref(fresh);
	egret_err_free(&err);
	return false;
}

static void *look(void *data)
{
	struct egret_supervisor *sup = data;
	bool failed = false, changed, settling;
	unsigned waited = 0, looks = 0;
	struct egret_policy *policy;

	for (;;) {
		poll(NULL, 0, LOOK_MS);
		policy = egret_policy_hold(sup);
		changed = egret_policy_changed(policy);
		settling = changed && egret_policy_is_settling(policy, SETTLE_MS) && waited < SETTLE_MOST;
		egret_policy_unref(policy);
		waited = settling ? waited + 1 : 0;
		looks++;
		if (!changed)
			failed = false;
		else if (!settling && (!failed || looks % RETRY == 0))
			failed = !load(sup, failed);
	}
	return NULL;
}

void egret_reload_start(struct egret_supervisor *sup, const char *path)
{
	if (!path || snprintf(policy_path, sizeof(policy_path), "%s", path) >= (int)sizeof(policy_path) || !is_out_of_reach(sup->policy))
		return;
	egret_start_thread(look, sup);
}
