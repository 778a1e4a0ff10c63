#include "lines.h"

#include "policy/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

int egret_fd_aside(int fd)
{
	struct rlimit limit;
	long from = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024 ? (long)limit.rlim_cur - 64 : 960;
	long moved = egret_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from > 3 ? from : 3, 0);
	if (moved < 0)
		moved = egret_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3, 0);
	egret_raw_close(fd);
	return moved < 0 ? -1 : (int)moved;
}

static uint64_t inode_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* What was left there before the other side went counts as long as it lies there. */
static bool hung_up(int fd)
{
	char byte;
	long result = egret_raw6(SYS_recvfrom, fd, (long)&byte, 1, MSG_PEEK | MSG_DONTWAIT, 0, 0);
	return result == 0 || (result < 0 && result != -EAGAIN && result != -EINTR);
}

/* Drops the lines whose other side is gone. */
static void prune(struct egret_lines *lines)
{
	for (unsigned i = 0; i < lines->count;) {
		bool ours = inode_of(lines->line[i].fd) == lines->line[i].inode;
		if (ours && !hung_up(lines->line[i].fd)) {
			i++;
			continue;
		}
		if (ours)
			egret_raw_close(lines->line[i].fd);
		lines->line[i] = lines->line[--lines->count];
	}
}

void egret_lines_before_fork(struct egret_lines *lines)
{
	prune(lines);
	int *pair = lines->fresh;
	bool room = lines->count < EGRET_LINES;
	if (!room || egret_raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		pair[0] = pair[1] = -1;
		return;
	}
	for (int i = 0; i < 2; i++)
		pair[i] = egret_fd_aside(pair[i]);
}

void egret_lines_after_fork(struct egret_lines *lines, bool child)
{
	int keep = lines->fresh[child], drop = lines->fresh[!child];
	if (drop >= 0)
		egret_raw_close(drop);
	if (keep < 0 || drop < 0) {
		lines->unsure = true;
		return;
	}
	lines->line[lines->count].fd = keep;
	lines->line[lines->count++].inode = inode_of(keep);
}

bool egret_lines_alone(struct egret_lines *lines)
{
	prune(lines);
	return lines->count == 0 && !lines->unsure;
}

union rights {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

void egret_lines_leave(struct egret_lines *lines, int end)
{
	union rights control = { .header = { .cmsg_len = CMSG_LEN(sizeof end), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec byte = { (char[1]){ 0 }, 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof end) };
	memcpy(CMSG_DATA(&control.header), &end, sizeof end);
	prune(lines);
	for (unsigned i = 0; i < lines->count; i++)
		egret_raw(SYS_sendmsg, lines->line[i].fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL, 0);
}

int egret_lines_find(struct egret_lines *lines)
{
	for (unsigned i = 0; i < lines->count; i++) {
		union rights control = { .room = { 0 } };
		struct iovec byte = { (char[1]){ 0 }, 1 };
		struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
		int fd = -1;
		if (inode_of(lines->line[i].fd) != lines->line[i].inode ||
		    egret_raw(SYS_recvmsg, lines->line[i].fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0) < 0)
			continue;
		if (message.msg_controllen >= CMSG_LEN(sizeof fd) && control.header.cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
		if (fd >= 0)
			return egret_fd_aside(fd);
	}
	return -1;
}

void egret_lines_close(struct egret_lines *lines)
{
	for (unsigned i = 0; i < lines->count; i++)
		if (inode_of(lines->line[i].fd) == lines->line[i].inode)
			egret_raw_close(lines->line[i].fd);
	lines->count = 0;
}
