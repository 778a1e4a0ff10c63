#include "linger.h"

#include "real.h"

static _Atomic bool lingers; /* has the program ever set SO_LINGER? */

void egret_linger_set(void) { atomic_store_explicit(&lingers, true, memory_order_relaxed); }

bool egret_linger_resets(const struct egret_conn *conn)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof linger;
	return atomic_load_explicit(&lingers, memory_order_relaxed) &&
	       real.getsockopt(conn->wire.fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff && linger.l_linger == 0;
}
