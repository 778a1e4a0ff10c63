/* launcher → supervisor → command. The listener appears in a descriptor table that the two share for a moment: no descriptor has to
 * be sent (that would notify the sender of itself), and nothing needs pidfd_getfd. */
#include "confine.h"
#include "far.h"
#include "filter.h"
#include "made.h"
#include "record.h"
#include "relay.h"
#include "reload.h"
#include "resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* What goes from the supervisor's side to the launcher before the command runs. */
struct ready {
	int error; /* errno; 0: the command's process is governed */
	pid_t command;
	char step[64];
};

/* Shared by supervisor and command while they set up. */
struct handshake {
	_Atomic int listener;    /* descriptor number, or a negative errno */
	_Atomic uint32_t apart;  /* 1: the command has a descriptor table of its own; a futex */
	char step[64];
};

static void report(int fd, int error, pid_t command, const char *step)
{
	struct ready ready = { .error = error, .command = command };

	snprintf(ready.step, sizeof(ready.step), "%s", step);
	if (write(fd, &ready, sizeof(ready)) != sizeof(ready))
		_exit(125);
}

/* In the command's process, while its descriptor table is the supervisor's. */
static void install(struct handshake *shared, const struct egret_sandbox_facts *facts, const char *log)
{
	int result;

	if (geteuid() == 0)
		egret_confine_machine(log);
	result = egret_confine_process(facts->landlock);
	snprintf(shared->step, sizeof(shared->step), "%s", "no_new_privs and landlock");
	if (!result && geteuid() == 0) {
		snprintf(shared->step, sizeof(shared->step), "%s", "dropping capabilities");
		result = egret_confine_capabilities();
	}
	if (!result) {
		snprintf(shared->step, sizeof(shared->step), "%s", "the seccomp filter (is another supervisor active?)");
		result = egret_filter_install(facts);
	}
	shared->listener = result;
}

/* Child of the supervisor: confined, with a table of its own; returns to the caller of egret_sandbox_start. */
static void become_command(struct handshake *shared, const struct egret_supervisor *sup, const int go[2])
{
	char byte;

	/* Under `auto` the preload layer's lines come from within the tree. */
	install(shared, &sup->facts, sup->require ? egret_record_file() : NULL);
	/* unshare(2) is withheld where namespaces are. */
	if (syscall(SYS_close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE) || shared->listener < 0)
		_exit(125);
	shared->apart = 1;
	syscall(SYS_futex, &shared->apart, FUTEX_WAKE, 1, NULL, NULL, 0);
	close(shared->listener);
	close(go[1]);
	if (read(go[0], &byte, 1) != 1) /* the supervisor is ready, or gone */
		_exit(125);
	close(go[0]);
	egret_confine_descriptors();
	munmap(shared, sizeof(*shared));
}

/* A duplicate of each socket of the tree needs a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The supervisor keeps nothing of the launcher's open: a pipe that it held would never end. Its lines go to the launcher's stderr. */
static void keep_only(const int *keep, size_t count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), at = 3, next;

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	for (;;) {
		next = INT_MAX;
		for (size_t i = 0; i < count; i++)
			if (keep[i] >= at && keep[i] < next)
				next = keep[i];
		if (next > at)
			syscall(SYS_close_range, at, next - 1, 0);
		if (next == INT_MAX)
			return;
		at = next + 1;
	}
}

static void give_up(const struct egret_supervisor *sup, int out, int error, const char *step)
{
	kill(sup->command, SIGKILL);
	report(out, error, 0, step);
	_exit(125);
}

static void supervise(struct egret_supervisor *sup, struct handshake *shared, int go, int out)
{
	const struct timespec moment = { .tv_nsec = 1000000 }; /* then: does the command live? */
	int record[2];

	/* The command leaves the common table only after it has told the number. */
	while (!shared->apart && waitpid(sup->command, NULL, WNOHANG) == 0)
		syscall(SYS_futex, &shared->apart, FUTEX_WAIT, 0, &moment, NULL, 0);
	if (!shared->apart)
		give_up(sup, out, shared->listener < 0 ? -shared->listener : ECHILD, shared->step);
	sup->listener = shared->listener;
	raise_limit();
	egret_record_descriptors(record);
	keep_only((int[]){ sup->listener, go, out, sup->events, record[0], record[1] }, 6);
	if (sup->makes_sockets && (!egret_made_pass_start() || !egret_made_start()))
		give_up(sup, out, ENOMEM, "making the sockets");
	if (!egret_resolver_open(sup))
		give_up(sup, out, errno, "the resolver");
	if (geteuid() == 0 && egret_confine_supervisor())
		give_up(sup, out, EPERM, "dropping the supervisor's capabilities");
	if (!egret_relay_start(sup))
		give_up(sup, out, errno, "the relay");
	if (!egret_far_prepare(sup->policy))
		give_up(sup, out, EACCES, "the TLS engine");
	egret_reload_start(sup, sup->config);
	report(out, 0, sup->command, "");
	if (write(go, "g", 1) != 1)
		_exit(125);
	close(go);
	egret_resolver_start(); /* what the command asks first waits for it; the command need not */
	egret_supervise(sup, out);
}

static bool prepare(struct egret_supervisor *sup, const struct egret_sandbox_options *options)
{
	sup->facts = options->facts;
	sup->makes_sockets = !sup->facts.getfd;
	sup->policy = egret_policy_ref(options->policy);
	sup->mode = options->mode;
	sup->require = options->sandbox == EGRET_SANDBOX_REQUIRE;
	sup->config = options->config;
	sup->log = options->log;
	sup->log_format = options->log_format;
	sup->names = egret_names_new();
	sup->events = options->events;
	pthread_mutex_init(&sup->policy_lock, NULL);
	pthread_mutex_init(&sup->lock, NULL);
	pthread_cond_init(&sup->parked, NULL);
	return sup->names != NULL;
}

/* Runs in the supervisor's process; returns 0 only in the command's. */
static pid_t split(struct egret_supervisor *sup, int out, const sigset_t *old)
{
	struct handshake *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int go[2];
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	egret_record_open(sup->log);
	if (shared == MAP_FAILED || pipe2(go, O_CLOEXEC)) {
		report(out, errno, 0, "memory and pipes");
		_exit(125);
	}
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0) {
		report(out, errno, 0, "clone");
		_exit(125);
	}
	if (pid == 0) {
		become_command(shared, sup, go);
		sigprocmask(SIG_SETMASK, old, NULL);
		return 0;
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "egret-sandbox", 0, 0, 0);
	sup->command = pid;
	supervise(sup, shared, go[1], out);
	return pid;
}

pid_t egret_sandbox_start(const struct egret_sandbox_options *options, struct egret_sandbox *box, struct egret_err *err)
{
	static struct egret_supervisor sup; /* lives in the supervisor's process */
	struct ready ready = { .error = EPIPE };
	sigset_t all, old;
	int out[2];

	memset(box, 0, sizeof(*box));
	if (!prepare(&sup, options) || pipe2(out, O_CLOEXEC)) {
		egret_err_add(err, NULL, 0, "the sandbox cannot start: %s", strerror(errno));
		return -1;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	box->supervisor = fork();
	if (box->supervisor == 0) {
		close(out[0]);
		if (split(&sup, out[1], &old) == 0)
			return 0;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(out[1]);
	while (box->supervisor > 0 && read(out[0], &ready, sizeof(ready)) < 0 && errno == EINTR)
		;
	if (ready.error) {
		egret_err_add(err, NULL, 0, "the sandbox cannot start: %s: %s", ready.step, strerror(ready.error));
		close(out[0]);
		return -1;
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the record for the report is open here, too */
	box->command = ready.command;
	box->result = out[0];
	return box->command;
}

static int read_all(int fd, void *data, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = read(fd, (char *)data + got, size - got);
		if (n < 0 && errno == EINTR && !got)
			return -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = EPIPE;
			return -1;
		}
		got += (size_t)n;
	}
	return 0;
}

int egret_sandbox_wait(struct egret_sandbox *box, int *status)
{
	uint64_t head[3];

	if (read_all(box->result, head, sizeof(head)))
		return -1;
	*status = (int)head[0];
	box->denied = head[1];
	box->counts = calloc(head[2] + 1, sizeof(*box->counts));
	if (box->counts && read_all(box->result, box->counts, head[2] * sizeof(*box->counts)) == 0)
		box->count = head[2];
	close(box->result);
	box->result = -1;
	return 0;
}

void egret_sandbox_free(struct egret_sandbox *box)
{
	free(box->counts);
	box->counts = NULL;
	box->count = 0;
}
