#include "tools/child.h"

#include "tools/run.h"
#include "tools/sandbox/sandbox.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM };
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static volatile pid_t child;

/* A signal of the terminal reaches the whole foreground group by itself: sent by the kernel, it is not sent twice. */
static void forward(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (child > 0 && info->si_code <= 0)
		kill(child, number);
	errno = saved;
}

static void catch_signals(sigset_t *before)
{
	struct sigaction act = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART }, old;
	sigset_t block;

	sigemptyset(&act.sa_mask);
	sigemptyset(&block);
	for (size_t i = 0; i < FORWARDED; i++)
		sigaddset(&block, forwarded[i]);
	/* Blocked until the child is known, so that none is lost in between. */
	sigprocmask(SIG_BLOCK, &block, before);
	for (size_t i = 0; i < FORWARDED; i++)
		if (sigaction(forwarded[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(forwarded[i], &act, NULL);
}

/* The words that give a text without #! to a shell, as execvp(3) does; malloc'ed. NULL: memory is out. */
static char **shell_words(const char *program, char *const argv[])
{
	size_t count = 0;

	while (argv[count])
		count++;
	char **words = calloc(count + 2, sizeof(*words));
	if (!words)
		return NULL;
	words[0] = (char *)"/bin/sh";
	words[1] = (char *)program;
	for (size_t i = 1; i < count; i++)
		words[i + 1] = argv[i];
	return words;
}

static int wait_for(pid_t pid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WUNTRACED);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			egret_say("waitpid: %m");
			return EGRET_FAILED;
		}
		if (WIFSTOPPED(status)) {
			raise(SIGSTOP);
			kill(pid, SIGCONT);
			continue;
		}
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

/* errno of the child's exec, 0 when it succeeded: the pipe closes on exec. */
static int exec_error(int fd)
{
	int error = 0;
	ssize_t got;

	do
		got = read(fd, &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	close(fd);
	return got == sizeof(error) ? error : 0;
}

static void in_child(int report, const char *program, char *const argv[], const sigset_t *mask)
{
	char **words;
	int error;

	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(program, argv);
	words = errno == ENOEXEC ? shell_words(program, argv) : NULL;
	if (words)
		execv(words[0], words);
	error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(EGRET_FAILED);
	_exit(EGRET_CANNOT_RUN);
}

static int say_not_started(const char *program, int error)
{
	egret_say("%s: %s", program, strerror(error));
	if (error == EAGAIN || error == ENOMEM) /* no process could be made */
		return EGRET_FAILED;
	return error == ENOENT ? EGRET_NOT_FOUND : EGRET_CANNOT_RUN;
}

/* vfork copies no memory of ours, which may hold a large policy, and returns when the program runs or cannot. (posix_spawn asks for the
 * handler of every signal first.) An errno. */
static int start(pid_t *pid, const char *program, char *const argv[], const sigset_t *mask)
{
	volatile int error = 0; /* the child's, in memory that both have */
	pid_t made = vfork();

	if (made == 0) {
		sigprocmask(SIG_SETMASK, mask, NULL);
		execv(program, argv);
		error = errno;
		_exit(EGRET_CANNOT_RUN);
	}
	if (made < 0)
		return errno;
	if (error)
		waitpid(made, NULL, 0);
	else
		*pid = made;
	return error;
}

int egret_child_run(const char *program, char *const argv[])
{
	sigset_t before;
	char **words;
	pid_t pid = 0;
	int error;

	catch_signals(&before);
	error = start(&pid, program, argv, &before);
	words = error == ENOEXEC ? shell_words(program, argv) : NULL;
	if (words)
		error = start(&pid, words[0], words, &before);
	free(words);
	child = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return error ? say_not_started(program, error) : wait_for(pid);
}

/* The supervisor is the command's parent: it tells the status. Without it the network of the tree is gone too. */
static int wait_for_sandboxed(struct egret_sandbox *box)
{
	int status;

	while (egret_sandbox_wait(box, &status) < 0) {
		if (errno == EINTR)
			continue;
		egret_say("the sandbox's supervisor is gone; nothing that is left of the command reaches the network");
		return EGRET_FAILED;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int egret_child_run_sandboxed(const char *program, char *const argv[], const struct egret_sandbox_options *options,
			      struct egret_sandbox *box)
{
	struct egret_err err = { 0 };
	int report[2], error, status;
	sigset_t before;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC)) {
		egret_say("pipe: %m");
		return EGRET_FAILED;
	}
	catch_signals(&before);
	pid = egret_sandbox_start(options, box, &err);
	if (pid == 0)
		in_child(report[1], program, argv, &before);
	child = pid;
	close(report[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		close(report[0]);
		for (size_t i = 0; i < err.count; i++)
			egret_say("%s", err.items[i].text);
		egret_err_free(&err);
		return EGRET_FAILED;
	}
	error = exec_error(report[0]);
	status = wait_for_sandboxed(box);
	return error ? say_not_started(program, error) : status;
}
