/* Sessions shared by the short-lived processes of one run: one file a ticket, 0600, in the run's private directory. A ticket is taken by
 * renaming its file, so that it is used once (RFC 8446 C.4) without a lock. A directory or a file of somebody else is not used. */
#include "internal.h"

#include "policy/raw.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICKET_MOST 16384 /* bytes of one session, the server's certificate in it */
#define FRONT (2 * KEY_SIZE) /* bytes before it: its key, and the SHA-256 of both; a file that was renamed or cut is nobody's */
#define NAME_SIZE (2 * KEY_SIZE + 16)

/* The directory of CTX, or -1: it must be ours, and nobody else reads or writes it. */
static int open_dir(const struct egret_tls_ctx *ctx)
{
	struct stat st;
	if (!ctx->ticket_dir)
		return -1;
	int fd = (int)egret_raw_open(ctx->ticket_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 066))
		return fd;
	egret_raw_close(fd);
	return -1;
}

/* Two names a key: parallel connections find one each. */
static void name_of(const uint8_t *key, unsigned i, char name[NAME_SIZE])
{
	int used = snprintf(name, NAME_SIZE, "ticket-");
	for (size_t k = 0; k < KEY_SIZE / 2; k++)
		used += snprintf(name + used, NAME_SIZE - (size_t)used, "%02x", key[k]);
	snprintf(name + used, NAME_SIZE - (size_t)used, ".%u", i);
}

static bool temporary_name(char name[NAME_SIZE])
{
	uint64_t number;
	if (RAND_bytes((unsigned char *)&number, sizeof number) != 1)
		return false;
	snprintf(name, NAME_SIZE, "taken-%016llx", (unsigned long long)number);
	return true;
}

static bool write_file(int dir, const char *name, const uint8_t *data, size_t size)
{
	int fd = (int)egret_raw(SYS_openat, dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool good = egret_raw_write(fd, data, size) == (long)size;
	egret_raw_close(fd);
	return good;
}

static void checksum(const uint8_t *file, size_t size, uint8_t sum[KEY_SIZE])
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	memset(sum, 0, KEY_SIZE);
	if (sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL)) {
		EVP_DigestUpdate(sha, file, KEY_SIZE);
		EVP_DigestUpdate(sha, file + FRONT, size - FRONT);
		EVP_DigestFinal_ex(sha, sum, NULL);
	}
	EVP_MD_CTX_free(sha);
}

bool egret_ticket_put(const struct egret_tls_ctx *ctx, const uint8_t *key, SSL_SESSION *session)
{
	char name[NAME_SIZE], temporary[NAME_SIZE];
	int dir = open_dir(ctx), size = dir < 0 ? 0 : i2d_SSL_SESSION(session, NULL);
	uint8_t *data = size > 0 && size <= TICKET_MOST ? OPENSSL_malloc(FRONT + (size_t)size) : NULL, *end = data + FRONT;
	bool good = false;
	if (data && temporary_name(temporary)) {
		i2d_SSL_SESSION(session, &end);
		size += FRONT;
		memcpy(data, key, KEY_SIZE);
		checksum(data, (size_t)size, data + KEY_SIZE);
		name_of(key, 0, name);
		if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			name_of(key, 1, name);
		good = write_file(dir, temporary, data, (size_t)size) && renameat(dir, temporary, dir, name) == 0;
		if (!good)
			unlinkat(dir, temporary, 0);
	}
	OPENSSL_clear_free(data, (size_t)size);
	if (dir >= 0)
		egret_raw_close(dir);
	return good;
}

static SSL_SESSION *parse(const uint8_t *data, size_t size, const uint8_t *key)
{
	uint8_t sum[KEY_SIZE];
	const uint8_t *at = data + FRONT;
	if (size <= FRONT || memcmp(data, key, KEY_SIZE) != 0)
		return NULL;
	checksum(data, size, sum);
	return memcmp(data + KEY_SIZE, sum, KEY_SIZE) == 0 ? d2i_SSL_SESSION(NULL, &at, (long)(size - FRONT)) : NULL;
}

static SSL_SESSION *read_file(int dir, const char *name, const uint8_t *key)
{
	struct stat st = { .st_size = 0 };
	SSL_SESSION *session = NULL;
	int fd = (int)egret_raw(SYS_openat, dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	bool ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 066);
	uint8_t *data = ours && st.st_size <= FRONT + TICKET_MOST ? OPENSSL_malloc((size_t)st.st_size) : NULL;
	if (data) {
		long size = egret_raw_read(fd, data, (size_t)st.st_size);
		session = size > 0 ? parse(data, (size_t)size, key) : NULL;
	}
	OPENSSL_clear_free(data, (size_t)st.st_size);
	egret_raw_close(fd);
	return session;
}

SSL_SESSION *egret_ticket_take(const struct egret_tls_ctx *ctx, const uint8_t *key)
{
	char name[NAME_SIZE], temporary[NAME_SIZE];
	SSL_SESSION *session = NULL;
	int dir = open_dir(ctx);
	for (unsigned i = 0; dir >= 0 && i < 2 && !session && temporary_name(temporary); i++) {
		name_of(key, i, name);
		if (renameat(dir, name, dir, temporary) != 0)
			continue;
		session = read_file(dir, temporary, key);
		unlinkat(dir, temporary, 0);
	}
	if (dir >= 0)
		egret_raw_close(dir);
	return session;
}
