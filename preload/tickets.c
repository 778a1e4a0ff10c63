#include "tickets.h"

#include "guard.h"

void egret_tickets_read(struct egret_conn *conn, int fd)
{
	if (!conn->wrapped || atomic_load(&conn->state) != EGRET_CONN_OPEN || egret_conn_is_stale(conn, fd) || !egret_conn_may_end(conn))
		return;
	egret_guard_enter();
	egret_wire_look_ahead(&conn->wire);
	egret_guard_leave();
}

void egret_tickets_read_all(void)
{
	if (atomic_load(&egret_conn_live) == 0 || !egret_conn_registry_is_ours())
		return;
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = egret_conn_get(fd);
		if (conn)
			egret_tickets_read(conn, fd);
		egret_conn_put(conn);
	}
}
