#include "far.h"

#include <errno.h>

ssize_t egret_far_read(struct egret_far *far, void *buf, size_t size)
{
	struct iovec iov = { buf, size };
	ssize_t n;

	if (far->observed)
		return egret_observed_read(far->observed, &iov, 1, 0);
	if (far->tls)
		return egret_wire_read(&far->wire, &iov, 1, 0);
	n = recv(far->fd, buf, size, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

/* The program's first words, where its protocol's TLS depends on them. 1: they count as sent; 0: send them; a negative errno. */
static int hear(struct egret_far *far, const struct iovec *iov)
{
	switch (egret_starttls_hear(far->starttls, &far->wire, iov, 1)) {
	case EGRET_WORD_REFUSED:
		return egret_far_refuse(far);
	case EGRET_WORD_KEPT:
		return 1;
	case EGRET_WORD_BEGINS:
		far->asks = false;
		return egret_far_begin_tls(far);
	case EGRET_WORD_PASSES:
		far->asks = false;
	}
	return 0;
}

ssize_t egret_far_write(struct egret_far *far, const void *data, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	int heard = far->asks ? hear(far, &iov) : 0;
	ssize_t n;

	if (heard)
		return heard < 0 ? heard : (ssize_t)len;
	if (far->observed)
		return egret_observed_write(far->observed, &iov, 1);
	if (far->tls)
		return egret_wire_write(&far->wire, &iov, 1);
	n = send(far->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int egret_far_flush(struct egret_far *far) { return far->tls ? egret_wire_flush(&far->wire) : 0; }

int egret_far_finish(struct egret_far *far)
{
	int result;

	if (far->observed)
		egret_observed_finish_writing(far->observed);
	result = far->tls ? egret_wire_close_notify(&far->wire) : 0;
	if (!result)
		shutdown(far->fd, SHUT_WR);
	return result;
}

void egret_far_close(struct egret_far *far)
{
	egret_observed_free(far->observed);
	far->observed = NULL;
	egret_starttls_free(far->starttls);
	far->starttls = NULL;
	if (far->fd < 0)
		return;
	if (far->tls) {
		egret_wire_drain(&far->wire);
		egret_wire_free(&far->wire);
	}
	close(far->fd);
	far->fd = -1;
}
