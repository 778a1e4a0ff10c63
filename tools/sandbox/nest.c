#include "nest.h"

#include <dirent.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Between the supervisor and the helper, which share descriptors: numbers suffice. */
struct order {
	pthread_mutex_t lock;
	int ask[2], answer[2];
	int *listeners;  /* what the helper finds must be seen here: it shares descriptors, not memory. NULL: no helper, or it has settled */
	void (*settled)(const int listeners[2]);
	uint64_t cookie; /* of the namespace */
	_Atomic bool open;
};

#define SETTLE 0 /* among the domains that are asked for */

static struct order order = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t netns_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ? 0 : cookie;
}

/* ---- the helper ---- */

static bool set_up(int netlink, void *message, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer;

	return sendto(netlink, message, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) == (ssize_t)len &&
	       recv(netlink, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.head) && answer.head.nlmsg_type == NLMSG_ERROR &&
	       !answer.error.error;
}

static bool loopback_up(int netlink)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} up = { .head = { .nlmsg_len = sizeof(up), .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		 .info = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };

	return set_up(netlink, &up, sizeof(up));
}

/* "local default dev lo": whatever the address, it is here (ip-route(8)). */
static bool everything_is_here(int netlink, unsigned char family)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg route;
		struct rtattr device;
		int index;
	} add = { .head = { .nlmsg_len = sizeof(add), .nlmsg_type = RTM_NEWROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		  .route = { .rtm_family = family, .rtm_table = RT_TABLE_LOCAL, .rtm_protocol = RTPROT_STATIC,
			     .rtm_scope = RT_SCOPE_HOST, .rtm_type = RTN_LOCAL },
		  .device = { .rta_len = RTA_LENGTH(sizeof(int)), .rta_type = RTA_OIF }, .index = 1 };

	return set_up(netlink, &add, sizeof(add));
}

static int listener(int family)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(53) };
	bool is_six = family == AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, is_six ? IPPROTO_IPV6 : IPPROTO_IP, is_six ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on));
	if (is_six) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)); /* answers leave from addresses that no device has */
	}
	if (bind(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four, is_six ? sizeof(six) : sizeof(four)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A capability in the new namespaces is all that it takes; as root a network namespace alone. */
static bool settle(int listeners[2])
{
	int netlink;
	bool ready;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (netlink < 0)
		return false;
	ready = loopback_up(netlink) && everything_is_here(netlink, AF_INET);
	if (ready) {
		listeners[0] = listener(AF_INET);
		listeners[1] = everything_is_here(netlink, AF_INET6) ? listener(AF_INET6) : -1;
	}
	close(netlink);
	return ready && listeners[0] >= 0;
}

/* Nobody looks in, and it ends with the supervisor; unshare resets both. */
static void attach(pid_t supervisor)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != supervisor)
		_exit(1);
}

static int settle_apart(pid_t supervisor)
{
	int result = settle(order.listeners) ? 0 : -1;

	attach(supervisor);
	return result;
}

static int make_socket(int domain)
{
	int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static void live(pid_t supervisor) __attribute__((noreturn));
static void live(pid_t supervisor)
{
	int domain, answer;

	prctl(PR_SET_NAME, "egret-nest", 0, 0, 0);
	attach(supervisor);
	while (read(order.ask[0], &domain, sizeof(domain)) == sizeof(domain)) {
		answer = domain == SETTLE ? settle_apart(supervisor) : make_socket(domain);
		if (write(order.answer[1], &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

void egret_nest_start(const struct egret_supervisor *sup, void (*settled)(const int listeners[2]))
{
	int *shared = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t supervisor = getpid(), pid;

	if (sup->makes_sockets || shared == MAP_FAILED || pipe2(order.ask, O_CLOEXEC) || pipe2(order.answer, O_CLOEXEC))
		return;
	shared[0] = shared[1] = -1;
	order.settled = settled;
	order.listeners = shared;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
	if (pid == 0)
		live(supervisor);
	if (pid < 0)
		order.listeners = NULL;
}

/* ---- the supervisor ---- */

/* The helper's answer; the lock is held. A tick (wait.h) may interrupt: an answer that was not read would be taken for the next one's. */
static int ask(int domain)
{
	int answer = -EPIPE;
	ssize_t n;

	while ((n = write(order.ask[1], &domain, sizeof(domain))) < 0 && errno == EINTR)
		;
	while (n == sizeof(domain) && (n = read(order.answer[0], &answer, sizeof(answer))) < 0 && errno == EINTR)
		n = sizeof(domain);
	return n == sizeof(answer) ? answer : -EPIPE;
}

static int nest_socket(int domain)
{
	int fd;

	pthread_mutex_lock(&order.lock);
	fd = ask(domain);
	pthread_mutex_unlock(&order.lock);
	return fd;
}

/* Is there a nest? It is made for the first who needs it: a namespace is a third of what the sandbox's start would cost. */
static bool is_open(void)
{
	if (order.open)
		return true;
	pthread_mutex_lock(&order.lock);
	if (order.listeners && ask(SETTLE) == 0) {
		order.cookie = netns_of(order.listeners[0]);
		order.settled(order.listeners);
		order.open = order.cookie != 0;
	}
	if (order.listeners)
		munmap(order.listeners, 2 * sizeof(int));
	order.listeners = NULL;
	pthread_mutex_unlock(&order.lock);
	return order.open;
}

bool egret_nest_holds(const struct egret_target *target)
{
	return order.open && netns_of(target->fd) == order.cookie;
}

static void copy_option(int from, int to, int level, int name)
{
	uint8_t value[64];
	socklen_t len = sizeof(value);

	if (!getsockopt(from, level, name, value, &len))
		setsockopt(to, level, name, value, len);
}

static void copy_state(int from, int to, int domain)
{
	static const int general[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_BROADCAST, SO_REUSEADDR, SO_TIMESTAMP };
	int flags = fcntl(from, F_GETFL);

	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++)
		copy_option(from, to, SOL_SOCKET, general[i]);
	copy_option(from, to, IPPROTO_IP, IP_RECVERR);
	copy_option(from, to, IPPROTO_IP, IP_PKTINFO);
	if (domain == AF_INET6) {
		copy_option(from, to, IPPROTO_IPV6, IPV6_V6ONLY);
		copy_option(from, to, IPPROTO_IPV6, IPV6_RECVERR);
		copy_option(from, to, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	}
	if (flags >= 0)
		fcntl(to, F_SETFL, flags & O_NONBLOCK);
}

/* The flag belongs to the program's descriptor, which only /proc shows (proc_pid_fdinfo(5)). */
static bool closes_on_exec(const struct egret_call *call, int number)
{
	char path[64], line[128];
	unsigned flags = O_CLOEXEC;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)call->pid, number);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (info)
		fclose(info);
	return flags & O_CLOEXEC;
}

/* FD takes the place of the program's descriptor and of our duplicate. Takes ownership of FD. */
static bool put_in_place(struct egret_call *call, struct egret_target *target, int number, int fd)
{
	struct seccomp_notif_addfd add = {
		.id = call->id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)fd, .newfd = (uint32_t)number,
		.newfd_flags = closes_on_exec(call, number) ? O_CLOEXEC : 0,
	};

	copy_state(target->fd, fd, egret_target_domain(target));
	if (egret_listener(call->sup, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0) {
		close(fd);
		return false;
	}
	close(target->fd);
	target->fd = fd;
	return true;
}

/* An epoll set would go on watching the socket that was replaced (proc_pid_fdinfo(5)). */
static bool watches(const struct egret_call *call, const char *set, int number)
{
	char path[64], line[256];
	bool found = false;
	FILE *info;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)call->pid, set);
	info = fopen(path, "re");
	while (info && !found && fgets(line, sizeof(line), info))
		found = sscanf(line, "tfd: %d", &fd) == 1 && fd == number;
	if (info)
		fclose(info);
	return found;
}

static bool is_watched(const struct egret_call *call, int number)
{
	char path[300], target[64];
	const struct dirent *item;
	bool found = false;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)call->pid);
	dir = opendir(path);
	while (dir && !found && (item = readdir(dir))) {
		len = readlinkat(dirfd(dir), item->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		found = strstr(target, "[eventpoll]") && watches(call, item->d_name, number);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool egret_nest_enter(struct egret_call *call, struct egret_target *target, int number)
{
	int fd;

	if (target->transport != EGRET_DATAGRAM || !is_open())
		return false;
	if (egret_nest_holds(target))
		return true;
	if (is_watched(call, number))
		return false;
	fd = nest_socket(egret_target_domain(target));
	return fd >= 0 && put_in_place(call, target, number, fd);
}

bool egret_nest_leave(struct egret_call *call, struct egret_target *target, int number)
{
	int fd = socket(egret_target_domain(target), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && put_in_place(call, target, number, fd);
}
