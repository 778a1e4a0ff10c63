/* Connects and closes, every second time with a word that is echoed in between: connects HOST COUNT KIB. Tells what COUNT rounds leave behind
 * that 400 before had not: descriptors, and KiB of memory; fails where it is any descriptor, or more than KIB. */
#include <dirent.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct addrinfo *server;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The server's orders are struct bench_order of tests/bench/load: echo. */
static void round_of(int number)
{
	const char order[16] = "e";
	char word[8] = "secret", got[8] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, server->ai_addr, server->ai_addrlen) != 0)
		die("connect");
	if (write(fd, order, sizeof order) != sizeof order)
		die("write");
	if (number % 2 && (write(fd, word, sizeof word) != sizeof word || recv(fd, got, sizeof got, MSG_WAITALL) != sizeof got || strcmp(got, word) != 0))
		die("echo");
	if (close(fd) != 0)
		die("close");
}

static void rounds(int count)
{
	for (int i = 0; i < count; i++)
		round_of(i);
}

/* From 512 on the library may have a log open as long as many lines come, libegret(8). */
static int descriptors(void)
{
	int count = 0;
	struct dirent *item;
	DIR *dir = opendir("/proc/self/fd");
	while (dir && (item = readdir(dir)))
		count += atoi(item->d_name) < 512;
	closedir(dir);
	return count;
}

static long resident_kib(void)
{
	long size = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "r");
	if (!statm || fscanf(statm, "%ld %ld", &size, &resident) != 2)
		die("/proc/self/statm");
	fclose(statm);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	if (argc != 4 || getaddrinfo(argv[1], "80", &hints, &server) != 0)
		return 2;
	rounds(400);
	int before = descriptors();
	long kib = resident_kib();
	rounds(atoi(argv[2]));
	int left = descriptors() - before;
	kib = resident_kib() - kib;
	printf("%s connects and closes left %d descriptors and %ld KiB behind\n", argv[2], left, kib);
	freeaddrinfo(server);
	return left != 0 || kib > atol(argv[3]);
}
