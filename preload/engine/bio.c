/* A BIO whose read side is the caller's window of ciphertext and whose write side is the caller's buffer: no I/O, no copy of our own. */
#include "internal.h"

#include <string.h>

static struct egret_tls *tls_of(BIO *bio) { return BIO_get_data(bio); }

static int bio_read(BIO *bio, char *data, int size)
{
	struct egret_tls *tls = tls_of(bio);
	size_t left = tls->in_len - tls->in_at;
	BIO_clear_retry_flags(bio);
	if (left == 0 || size <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t count = left < (size_t)size ? left : (size_t)size;
	memcpy(data, tls->in + tls->in_at, count);
	tls->in_at += count;
	return (int)count;
}

static int bio_write(BIO *bio, const char *data, int size)
{
	struct egret_tls *tls = tls_of(bio);
	BIO_clear_retry_flags(bio);
	if (tls->out && egret_buf_append(tls->out, data, (size_t)size))
		return size;
	tls->out_failed = true;
	return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "egret");
	if (!method)
		return;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

BIO *egret_bio_new(struct egret_tls *tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_method);
	BIO *bio = method ? BIO_new(method) : NULL;
	if (bio) {
		BIO_set_data(bio, tls);
		BIO_set_init(bio, 1);
	}
	return bio;
}
