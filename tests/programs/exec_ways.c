/* exec_ways WAY: throws the whole environment away and starts env(1) by WAY. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#define ENV "/usr/bin/env"

static char *const argv[] = { (char *)"env", NULL };
static char *const nothing[] = { NULL };

static int spawn(int search)
{
	pid_t pid;
	int status = 1;
	int error = search ? posix_spawnp(&pid, "env", NULL, NULL, argv, nothing) : posix_spawn(&pid, ENV, NULL, NULL, argv, nothing);

	if (error || waitpid(pid, &status, 0) != pid)
		return 1;
	return status != 0;
}

#if defined(__x86_64__)
/* What programs call that were linked before glibc 2.15. */
extern int old_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
__asm__(".symver old_posix_spawn, posix_spawn@GLIBC_2.2.5");

static int spawn_as_before(void)
{
	pid_t pid;
	int status = 1;

	return old_posix_spawn(&pid, ENV, NULL, NULL, argv, nothing) || waitpid(pid, &status, 0) != pid || status != 0;
}
#else
static int spawn_as_before(void) { return spawn(0); }
#endif

typedef int pidfd_function(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);

/* Since glibc 2.39; 38 (ENOSYS) where the libc has none. */
static int spawn_pidfd(const char *name, const char *file)
{
	pidfd_function *function = (pidfd_function *)dlsym(RTLD_DEFAULT, name);
	siginfo_t info;
	int fd, error = function ? function(&fd, file, NULL, NULL, argv, nothing) : ENOSYS;

	if (error)
		return error;
	return waitid(P_PIDFD, (id_t)fd, &info, WEXITED) || info.si_status != 0;
}

static int read_popen(void)
{
	char line[4096];
	FILE *pipe = popen(ENV, "r");

	while (pipe && fgets(line, sizeof(line), pipe))
		fputs(line, stdout);
	return pipe ? pclose(pipe) : 1;
}

static int expand(void)
{
	wordexp_t words;

	if (wordexp("$(" ENV ")", &words, 0))
		return 1;
	for (size_t i = 0; i < words.we_wordc; i++)
		puts(words.we_wordv[i]);
	return 0;
}

static int run(const char *way)
{
	if (!strcmp(way, "execve"))
		return execve(ENV, argv, nothing);
	if (!strcmp(way, "execv"))
		return execv(ENV, argv);
	if (!strcmp(way, "execvp"))
		return execvp("env", argv);
	if (!strcmp(way, "execvpe"))
		return execvpe("env", argv, nothing);
	if (!strcmp(way, "execl"))
		return execl(ENV, "env", (char *)NULL);
	if (!strcmp(way, "execlp"))
		return execlp("env", "env", (char *)NULL);
	if (!strcmp(way, "execle"))
		return execle(ENV, "env", (char *)NULL, nothing);
	if (!strcmp(way, "fexecve"))
		return fexecve(open(ENV, O_RDONLY), argv, nothing);
	if (!strcmp(way, "execveat"))
		return execveat(open("/usr/bin", O_RDONLY | O_DIRECTORY), "env", argv, nothing, 0);
	if (!strcmp(way, "syscall"))
		return (int)syscall(SYS_execve, ENV, argv, nothing);
	if (!strcmp(way, "posix_spawn"))
		return spawn(0);
	if (!strcmp(way, "posix_spawnp"))
		return spawn(1);
	if (!strcmp(way, "old_posix_spawn"))
		return spawn_as_before();
	if (!strcmp(way, "pidfd_spawn"))
		return spawn_pidfd(way, ENV);
	if (!strcmp(way, "pidfd_spawnp"))
		return spawn_pidfd(way, "env");
	if (!strcmp(way, "system"))
		return system(ENV);
	if (!strcmp(way, "popen"))
		return read_popen();
	return strcmp(way, "wordexp") ? 1 : expand();
}

int main(int argc, char **argv_)
{
	if (argc != 2)
		return 1;
	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	return run(argv_[1]);
}
