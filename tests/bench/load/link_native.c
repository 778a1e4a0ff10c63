#include "link.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

static SSL_CTX *ctx;
static SSL_SESSION *session;

static void die_ssl(const char *what)
{
	ERR_print_errors_fp(stderr);
	die(what);
}

static int keep_session(SSL *ssl, SSL_SESSION *fresh)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = fresh;
	return 1;
}

void link_setup(const struct link_options *options)
{
	signal(SIGPIPE, SIG_IGN);
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || SSL_CTX_load_verify_locations(ctx, options->ca_file, options->ca_path) != 1)
		die_ssl("SSL_CTX");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (options->resume) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	}
}

void link_begin(struct link *link)
{
	link->ssl = SSL_new(ctx);
	SSL_set_fd(link->ssl, link->fd);
	SSL_set_mode(link->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_tlsext_host_name(link->ssl, "localhost");
	SSL_set1_host(link->ssl, "localhost");
	if (session)
		SSL_set_session(link->ssl, session);
	if (SSL_connect(link->ssl) != 1)
		die_ssl("handshake");
}

void link_end(struct link *link)
{
	SSL_shutdown(link->ssl);
	SSL_free(link->ssl);
}

/* What a call that gave no bytes means. */
static ssize_t no_bytes(struct link *link, int result)
{
	int error = SSL_get_error(link->ssl, result);
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		die_ssl("TLS");
	link->wants = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	errno = EAGAIN;
	return -1;
}

ssize_t link_send(struct link *link, const void *data, size_t size)
{
	size_t done = 0;
	int result = SSL_write_ex(link->ssl, data, size, &done);
	return result == 1 ? (ssize_t)done : no_bytes(link, result);
}

ssize_t link_recv(struct link *link, void *data, size_t size)
{
	size_t done = 0;
	int result = SSL_read_ex(link->ssl, data, size, &done);
	return result == 1 ? (ssize_t)done : no_bytes(link, result);
}
