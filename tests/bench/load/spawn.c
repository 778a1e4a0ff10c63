/* spawn COUNT COMMAND [ARGS]: starts a command COUNT times, one after the other, its output thrown away; prints the time from before its
 * start to its end as one JSON line. The environment is the caller's, but LD_PRELOAD is what SPAWN_PRELOAD says: the runner itself runs bare. */
#include "common.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double once(char **argv, const posix_spawn_file_actions_t *quiet)
{
	pid_t pid;
	int status = 0;
	double start = now_s();
	if (posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
		die(argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench: %s ended with status %#x\n", argv[0], status);
		exit(1);
	}
	return now_s() - start;
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	const char *preload = getenv("SPAWN_PRELOAD");
	double *samples = calloc(count ? count : 1, sizeof *samples);
	posix_spawn_file_actions_t quiet;
	if (count == 0 || !samples) {
		fputs("usage: spawn COUNT COMMAND [ARGS]\n", stderr);
		return 2;
	}
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	once(argv + 2, &quiet);
	for (size_t i = 0; i < count; i++)
		samples[i] = once(argv + 2, &quiet);
	qsort(samples, count, sizeof *samples, by_size);
	printf("{\"p50_us\": %.2f, \"min_us\": %.2f, \"count\": %zu}\n", samples[count / 2] * 1e6, samples[0] * 1e6, count);
	return 0;
}
