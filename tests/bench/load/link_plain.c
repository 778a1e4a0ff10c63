#include "link.h"

#include <poll.h>
#include <sys/socket.h>

void link_setup(const struct link_options *options) { (void)options; }

void link_begin(struct link *link) { (void)link; }

void link_end(struct link *link) { (void)link; }

ssize_t link_send(struct link *link, const void *data, size_t size)
{
	link->wants = POLLOUT;
	return send(link->fd, data, size, MSG_NOSIGNAL);
}

ssize_t link_recv(struct link *link, void *data, size_t size)
{
	link->wants = POLLIN;
	return recv(link->fd, data, size, 0);
}
