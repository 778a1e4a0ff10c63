/* Many threads on one socket, of a server that echoes: together MODE HOST PORT. Prints "right" when every byte was somebody's.
 *
 *   bytes    two write, two read and one looks: each byte that was written is read by one of them
 *   records  four write short records, one reads: each is whole, and each writer's are in their order
 *   closing  as bytes, of a secret, until another thread closes the connection, one of its two descriptors, or puts another file over it;
 *            connections that follow work
 */
#include "must.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 20000
#define ROUNDS 400

static struct addrinfo *server;
static int fd;
static atomic_bool closes, over;

static void connected(void)
{
	fd = socket(AF_INET, SOCK_STREAM, 0);
	must(fd >= 0 && connect(fd, server->ai_addr, server->ai_addrlen) == 0, "connect");
}

/* Must this call have worked? Not once the connection may be closed: then it is the thread's last. */
static bool worked(bool ok, const char *what)
{
	must(ok || closes, what);
	return ok;
}

struct party {
	pthread_t thread;
	unsigned self;
	uint64_t count[256]; /* of bytes by value */
};

static void note(struct party *party, const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		party->count[bytes[i]]++;
}

static void *write_much(void *arg)
{
	struct party *party = arg;
	static __thread unsigned char chunk[CHUNK];
	unsigned random = party->self;
	for (int i = 0; (i < ROUNDS || closes) && !over; i++) {
		size_t size = (size_t)rand_r(&random) % (i % 8 ? 300 : CHUNK) + 1;
		for (size_t at = 0; at < size; at++)
			chunk[at] = closes ? (unsigned char)"a secret "[at % 9] : (unsigned char)(rand_r(&random) >> 4);
		ssize_t n = send(fd, chunk, size, MSG_NOSIGNAL);
		if (!worked(n == (ssize_t)size, "send"))
			break;
		note(party, chunk, size);
	}
	return NULL;
}

static void *read_much(void *arg)
{
	struct party *party = arg;
	static __thread unsigned char chunk[CHUNK];
	unsigned random = party->self;
	while (!over) {
		ssize_t n = recv(fd, chunk, (size_t)rand_r(&random) % CHUNK + 1, 0);
		if (!worked(n >= 0, "recv") || n == 0)
			break;
		note(party, chunk, (size_t)n);
	}
	return NULL;
}

static void *look(void *arg)
{
	unsigned char byte;
	int available;
	while (!over) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
		must(poll(&pfd, 1, 1) >= 0 || errno == EINTR, "poll");
		worked(ioctl(fd, FIONREAD, &available) == 0, "FIONREAD");
		worked(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == EAGAIN, "peek");
	}
	return arg;
}

enum { WRITER, OTHER_WRITER, READER, OTHER_READER, LOOKER, PARTIES };

static void start(struct party *parties)
{
	memset(parties, 0, PARTIES * sizeof *parties);
	for (unsigned i = 0; i < PARTIES; i++) {
		parties[i].self = i + 1;
		void *(*run)(void *) = i <= OTHER_WRITER ? write_much : i <= OTHER_READER ? read_much : look;
		must((errno = pthread_create(&parties[i].thread, NULL, run, &parties[i])) == 0, "pthread_create");
	}
}

static void bytes(void)
{
	struct party parties[PARTIES];
	connected();
	start(parties);
	for (int i = WRITER; i <= OTHER_WRITER; i++)
		pthread_join(parties[i].thread, NULL);
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	for (int i = READER; i <= OTHER_READER; i++)
		pthread_join(parties[i].thread, NULL);
	over = true;
	pthread_join(parties[LOOKER].thread, NULL);
	errno = EBADMSG;
	for (int i = 0; i < 256; i++)
		must(parties[WRITER].count[i] + parties[OTHER_WRITER].count[i] == parties[READER].count[i] + parties[OTHER_READER].count[i], "bytes");
	close(fd);
}

/* ---- records ---- */

#define WRITERS 4
#define RECORDS 3000 /* of each */

struct record {
	uint32_t writer, number, fill[14];
};

static sem_t room; /* so many records may be on their way that no buffer is full: TCP takes parts then */

static void *write_records(void *arg)
{
	struct record record = { .writer = (uint32_t)(uintptr_t)arg };
	for (record.number = 0; record.number < RECORDS; record.number++) {
		for (int i = 0; i < 14; i++)
			record.fill[i] = record.writer * 7919 + record.number;
		while (sem_wait(&room) != 0)
			;
		must(send(fd, &record, sizeof record, MSG_NOSIGNAL) == sizeof record, "send");
	}
	return NULL;
}

static void records(void)
{
	pthread_t threads[WRITERS];
	uint32_t next[WRITERS] = { 0 };
	struct record record;
	connected();
	sem_init(&room, 0, 200);
	for (uintptr_t i = 0; i < WRITERS; i++)
		must((errno = pthread_create(&threads[i], NULL, write_records, (void *)i)) == 0, "pthread_create");
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		must(recv(fd, &record, sizeof record, MSG_WAITALL) == sizeof record, "recv");
		errno = EBADMSG;
		must(record.writer < WRITERS && record.number == next[record.writer]++, "order");
		for (int at = 0; at < 14; at++)
			must(record.fill[at] == record.writer * 7919 + record.number, "record");
		sem_post(&room);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	close(fd);
}

/* ---- closing ---- */

static void on_signal(int number) { (void)number; }

static void closing(void)
{
	struct party parties[PARTIES];
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	char heard[8];
	for (int round = 0; round < 30; round++) {
		closes = over = false;
		connected();
		closes = true;
		start(parties);
		usleep(10000 + 1000 * (useconds_t)round);
		int copy = round % 3 == 2 ? dup(fd) : -1;
		must(round % 3 == 1 ? dup2(nothing, fd) == fd : close(fd) == 0, "close");
		usleep(1000);
		over = true;
		for (int i = 0; i < PARTIES; i++)
			while (pthread_tryjoin_np(parties[i].thread, NULL) != 0) {
				pthread_kill(parties[i].thread, SIGUSR1);
				usleep(1000);
			}
		if (round % 3 == 2)
			must(close(copy) == 0, "close of the copy");
		else if (round % 3 == 1)
			must(close(fd) == 0, "close of what is there");
		connected();
		must(write(fd, "hello", 5) == 5 && recv(fd, heard, 5, MSG_WAITALL) == 5 && memcmp(heard, "hello", 5) == 0, "the next connection");
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = { { "bytes", bytes }, { "records", records }, { "closing", closing } };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &action, NULL);
	if (argc != 4 || getaddrinfo(argv[2], argv[3], &hints, &server) != 0)
		return 2;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			modes[i].run();
	puts("right");
	return 0;
}
