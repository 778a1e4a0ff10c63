#include "unconnected.h"

#include "real.h"

bool egret_is_unconnected(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof domain;
	struct sockaddr_storage ss;
	if (real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || (domain != AF_INET && domain != AF_INET6))
		return false;
	size = sizeof type;
	if (real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
		return false;
	size = sizeof ss;
	return real.getpeername(fd, (struct sockaddr *)&ss, &size) != 0 && errno == ENOTCONN;
}
