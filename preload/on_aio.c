/* aio(7): the libc's threads would read and write the descriptor behind our back, ciphertext in, plaintext out, or requests that
 * nobody judged. A connection that egret carries or looks at has no such transfers: ENOSYS, which programs know from systems without them. */
#include "conn.h"
#include "hooks.h"
#include "real.h"

static bool refuses(int fd)
{
	struct egret_conn *conn = egret_conn_get(fd);
	bool governed = conn && egret_conn_takes_writes(conn);
	egret_conn_put(conn);
	if (governed)
		errno = ENOSYS;
	return governed;
}

int egret_on_aio_read(struct aiocb *request)
{
	return refuses(request->aio_fildes) ? -1 : real.aio_read(request);
}

int egret_on_aio_read64(struct aiocb64 *request)
{
	return refuses(request->aio_fildes) ? -1 : real.aio_read64(request);
}

int egret_on_aio_write(struct aiocb *request)
{
	return refuses(request->aio_fildes) ? -1 : real.aio_write(request);
}

int egret_on_aio_write64(struct aiocb64 *request)
{
	return refuses(request->aio_fildes) ? -1 : real.aio_write64(request);
}

int egret_on_lio_listio(int mode, struct aiocb *const list[], int count, struct sigevent *event)
{
	for (int i = 0; i < count; i++)
		if (list[i] && list[i]->aio_lio_opcode != LIO_NOP && refuses(list[i]->aio_fildes))
			return -1;
	return real.lio_listio(mode, list, count, event);
}

int egret_on_lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
{
	for (int i = 0; i < count; i++)
		if (list[i] && list[i]->aio_lio_opcode != LIO_NOP && refuses(list[i]->aio_fildes))
			return -1;
	return real.lio_listio64(mode, list, count, event);
}
