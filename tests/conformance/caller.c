#include "caller.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#define CONTROL 3
#define CONTROL_COPY 100 /* and above: no sequence closes it */
#define SETTLE_MS 30000
#define ACKNOWLEDGE_ROUNDS 60 /* of 200 us: nothing moves any more, since no acknowledgement takes the peer as long (peer.c) */
#define ACKNOWLEDGE_MOST 2000 /* of these: the kernel delays an acknowledgement of what it has for 200 ms at most */
#define FIN_ROUNDS 120        /* of 100 us: a FIN for which the peer's window has no room yet is not acknowledged soon */
#define FIN_MOST 20000        /* of these: one that was sent will be, however busy the machine is */
#define TINY_ROUNDS 5000      /* of these: tickets of the handshake find no room in a tiny window behind others, until somebody reads */

struct caller it;
int epoll_set = -1, in_use;
volatile int pipes, alarms;
unsigned char room[ROOM];
static struct caller others[CONNECTIONS]; /* the one in use is stale here */
static FILE *control;

long number(const struct call *call, int i, long fallback)
{
	char *end;
	long value = i < call->argc ? strtol(call->argv[i], &end, 0) : fallback;
	return i < call->argc && *end ? fallback : value;
}

bool has_word(const struct call *call, const char *word)
{
	for (int i = 1; i < call->argc; i++)
		if (strcmp(call->argv[i], word) == 0)
			return true;
	return false;
}

int flags_of(const struct call *call, int i)
{
	static const struct {
		const char *name;
		int flag;
	} names[] = { { "PEEK", MSG_PEEK }, { "DONTWAIT", MSG_DONTWAIT }, { "WAITALL", MSG_WAITALL }, { "TRUNC", MSG_TRUNC },
		      { "NOSIGNAL", MSG_NOSIGNAL }, { "MORE", MSG_MORE }, { "EOR", MSG_EOR }, { "OOB", MSG_OOB },
		      { "WAITFORONE", MSG_WAITFORONE }, { "CTRUNC", MSG_CTRUNC }, { "CONFIRM", MSG_CONFIRM }, { "ERRQUEUE", MSG_ERRQUEUE },
		      { "CLOEXEC", MSG_CMSG_CLOEXEC } };
	int flags = 0;
	if (i >= call->argc)
		return 0;
	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
		if (strstr(call->argv[i], names[n].name))
			flags |= names[n].flag;
	return flags;
}

size_t hear(char *word)
{
	char line[128], first[16] = "";
	size_t value = 0;
	if (!fgets(line, sizeof line, control))
		exit(3);
	sscanf(line, "%15s %zu", first, &value);
	if (word)
		memcpy(word, first, sizeof first);
	return value;
}

size_t ask(char *word, const char *format, ...)
{
	char text[128];
	va_list list;
	va_start(list, format);
	int length = vsnprintf(text, sizeof text - 1, format, list);
	va_end(list);
	text[length++] = '\n';
	if (write(CONTROL, text, (size_t)length) != length)
		exit(3);
	return hear(word);
}

/* include/net/tcp_states.h of the kernel; netinet/tcp.h, which has them too, does not go with linux/tcp.h. */
enum { TCP_FIN_WAIT1 = 4, TCP_TIME_WAIT = 6, TCP_CLOSE = 7, TCP_CLOSE_WAIT = 8, TCP_LAST_ACK = 9, TCP_CLOSING = 11 };

/* Whether a small send buffer has room is a matter of what the peer's kernel has acknowledged, at once or a little later: what was sent will be. */
static void settle_sent(void)
{
	int left = 0, unsent = 0, before = -1;
	for (int same = 0; it.small && same < (unsent || it.peer_cut ? ACKNOWLEDGE_ROUNDS : ACKNOWLEDGE_MOST); same = left == before ? same + 1 : 0) {
		before = left;
		if (ioctl(it.fd, TIOCOUTQ, &left) != 0 || left == 0 || ioctl(it.fd, SIOCOUTQNSD, &unsent) != 0)
			return;
		if (same == 0)
			ask(NULL, "acknowledge");
		else
			usleep(200);
	}
}

bool half_gone(void) { return (it.notified && it.shut_wr) || it.late_fin; }

/* What MSG_MORE or TCP_CORK holds back would go by itself in 200 ms; where the peer is waited for anyway, it goes now, tcp(7). */
void push(void)
{
	int on = 1, before = 1, saved = errno;
	socklen_t size = sizeof before;
	if ((it.more || it.corked) && getsockopt(it.fd, IPPROTO_TCP, TCP_NODELAY, &before, &size) == 0) {
		setsockopt(it.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(it.fd, IPPROTO_TCP, TCP_NODELAY, &before, sizeof before);
	}
	errno = saved;
}

/* That our FIN is acknowledged is an edge. Shall it be waited for, after ROUNDS? */
static bool awaits_acknowledgement(const struct tcp_info *info, int rounds)
{
	int unsent = 0;
	if (epoll_set < 0 || (info->tcpi_state != TCP_FIN_WAIT1 && info->tcpi_state != TCP_LAST_ACK && info->tcpi_state != TCP_CLOSING))
		return false;
	bool sent = ioctl(it.fd, SIOCOUTQNSD, &unsent) == 0 && unsent == 0;
	return rounds < (sent ? FIN_MOST : FIN_ROUNDS);
}

/* Behind a relay the kernel tells nothing of TCP: what has arrived is what can be read. */
static void settle_moved(void)
{
	for (int i = 0; i < SETTLE_MS * 10; i++) {
		struct pollfd pfd = { .fd = it.fd, .events = POLLRDHUP };
		int amount = 0;
		ioctl(it.fd, FIONREAD, &amount);
		int n = poll(&pfd, 1, 0);
		if (it.peer_cut ? n > 0 && (pfd.revents & (POLLHUP | POLLERR)) : (size_t)amount >= it.owed && (!it.peer_ended || n > 0 || it.shut_rd))
			return;
		usleep(100);
	}
	say("what the peer sent did not arrive");
}

/* tcpi_bytes_received counts what arrived in order; the state says whether a FIN or a reset did. */
void settle(void)
{
	if (!it.connected || it.fd < 0)
		return;
	if (it.moved)
		return settle_moved();
	settle_sent();
	for (int i = 0; i < SETTLE_MS * 10; i++) {
		struct tcp_info info;
		socklen_t size = sizeof info;
		if (getsockopt(it.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
			return;
		bool gone = info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_TIME_WAIT;
		bool fin = gone || info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_LAST_ACK || info.tcpi_state == TCP_CLOSING;
		if (awaits_acknowledgement(&info, i)) {
			usleep(100);
			continue;
		}
		if (it.tiny && !it.peer_ended && i == TINY_ROUNDS)
			return;
		if (it.peer_cut ? gone : gone || (info.tcpi_bytes_received >= it.wire && (!it.peer_fin || fin)))
			return;
		usleep(100);
	}
	say("what the peer sent did not arrive");
}

void say(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	putchar(' ');
	vprintf(format, list);
	va_end(list);
}

void tell(long result)
{
	if (result < 0)
		say("= %ld %s", result, strerrorname_np(errno));
	else
		say("= %ld", result);
}

void skip(const char *why) { say("skip: %s", why); }

bool run_row(const struct row *rows, size_t count, const struct call *call)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, call->argv[0]) == 0) {
			rows[i].run(call);
			return true;
		}
	return false;
}

static void on_pipe(int signal)
{
	(void)signal;
	pipes++;
}

static void fresh(struct caller *caller)
{
	memset(caller, 0, sizeof *caller);
	caller->fd = -1;
	caller->lowat = 1;
}

int use(int number)
{
	int before = in_use;
	if (number == before)
		return before;
	others[before] = it;
	it = others[number];
	in_use = number;
	ask(NULL, "use %d", number);
	return before;
}

/* All descriptors that a sequence may have left: below those of the control stream. */
static void reset(void)
{
	others[in_use] = it;
	for (int i = 0; i < CONNECTIONS; i++) {
		if (others[i].stream)
			fclose(others[i].stream);
		fresh(&others[i]);
	}
	for (int fd = 4; fd < CONTROL_COPY; fd++)
		close(fd);
	epoll_set = -1;
	in_use = 0;
	fresh(&it);
	ask(NULL, "end");
}

static bool handed_back;

void hand_back(void) { handed_back = true; }

static void perform(char *line)
{
	struct call call = { 0 };
	char *save = NULL;
	for (char *word = strtok_r(line, " \n", &save); word && call.argc < MOST_ARGS; word = strtok_r(NULL, " \n", &save))
		call.argv[call.argc++] = word;
	if (call.argc == 0)
		return;
	pipes = 0;
	if (!call_socket(&call) && !call_peer(&call) && !call_read(&call) && !call_write(&call) && !call_ready(&call) && !call_fd(&call) &&
	    !call_process(&call) && !call_stream(&call) && !call_fault(&call) && !call_other(&call) &&
	    !call_connect(&call))
		say("unknown call");
	if (handed_back) {
		handed_back = false;
		reset();
		return;
	}
	if (pipes)
		say("SIGPIPE");
	putchar('\n');
	fflush(stdout);
}

/* Sequences come on standard input, a call a line; "." ends one. */
int main(void)
{
	char line[256];
	struct sigaction action = { .sa_handler = on_pipe };
	sigaction(SIGPIPE, &action, NULL);
	control = fdopen(fcntl(CONTROL, F_DUPFD, CONTROL_COPY), "r");
	for (int i = 0; i < CONNECTIONS; i++)
		fresh(&others[i]);
	fresh(&it);
	while (control && fgets(line, sizeof line, stdin)) {
		if (line[0] != '.') {
			perform(line);
			continue;
		}
		reset();
		end_copy();
		puts(".");
		fflush(stdout);
	}
	return 0;
}
