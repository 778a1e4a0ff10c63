#include "unix_diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_SIZE 32768 /* the kernel puts no more into a part of a dump */

/* A socket on which the question was sent; -1: none. */
static int ask(uint16_t flags, const struct unix_diag_req *body)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} question = { { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | flags }, *body };
	struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, &question, sizeof(question), 0) == sizeof(question))
		return fd;
	close(fd);
	return -1;
}

/* Tells of what stands in LEN bytes. False: an error stands there. OVER: the end of the list stands there. */
static bool tell(const struct nlmsghdr *head, size_t len, egret_unix_seen *seen, void *data, bool *over)
{
	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type == NLMSG_DONE)
			*over = true;
		else if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			return false;
		else
			seen(NLMSG_DATA(head), (uint32_t)NLMSG_PAYLOAD(head, 0), data);
	}
	return true;
}

/* One part of an answer; false: it did not come, or is an error. */
static bool hear(int fd, egret_unix_seen *seen, void *data, bool *over)
{
	union {
		struct nlmsghdr head;
		char bytes[ANSWER_SIZE];
	} answer;
	ssize_t got;

	do
		got = recv(fd, &answer, sizeof(answer), 0);
	while (got < 0 && errno == EINTR);
	return got > 0 && tell(&answer.head, (size_t)got, seen, data, over);
}

bool egret_unix_each(uint32_t states, uint32_t show, egret_unix_seen *seen, void *data)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_states = states, .udiag_show = show };
	int fd = ask(NLM_F_DUMP, &request);
	bool good = fd >= 0, over = false;

	while (good && !over)
		good = hear(fd, seen, data, &over);
	if (fd >= 0)
		close(fd);
	return good;
}

bool egret_unix_one(uint32_t inode, egret_unix_seen *seen, void *data)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_ino = inode, .udiag_cookie = { ~0u, ~0u } };
	int fd = ask(0, &request);
	bool over, good = fd >= 0 && hear(fd, seen, data, &over);

	if (fd >= 0)
		close(fd);
	return good;
}
