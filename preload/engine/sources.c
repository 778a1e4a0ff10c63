/* The files that a context was made of: what was in them, for the key of its sessions, and whether they are still the same. */
#include "internal.h"

#include "policy/raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MOST (16 << 20) /* bytes of a file that is read; the whole web's CAs are a quarter of a megabyte */

bool egret_source_read(const char *path, struct egret_buf *content)
{
	int fd = (int)egret_raw_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	long count = fd < 0 ? fd : 1;
	while (count > 0 && egret_buf_len(content) < FILE_MOST) {
		uint8_t *room = egret_buf_room(content, 65536);
		count = room ? egret_raw_read(fd, room, 65536) : -ENOMEM;
		if (count > 0)
			egret_buf_added(content, (size_t)count);
	}
	if (fd >= 0)
		egret_raw_close(fd);
	if (count < 0)
		errno = (int)-count;
	else if (count > 0)
		errno = EFBIG;
	return count == 0;
}

/* A change of the content changes ctime, which no program can set. */
static void digest_stat(EVP_MD_CTX *sha, const struct stat *st)
{
	int64_t identity[] = { (int64_t)st->st_dev,	st->st_size,	     (int64_t)st->st_ino,  st->st_mtim.tv_sec,
			       st->st_mtim.tv_nsec, st->st_ctim.tv_sec, st->st_ctim.tv_nsec };
	EVP_DigestUpdate(sha, identity, sizeof identity);
}

/* Whatever the order in which a directory is read, its digest is the same: entries are added up. */
static void digest_directory(EVP_MD_CTX *sha, DIR *dir)
{
	uint8_t sum[KEY_SIZE] = { 0 }, one[KEY_SIZE];
	EVP_MD_CTX *entry = EVP_MD_CTX_new();
	struct stat st;
	for (struct dirent *file = readdir(dir); entry && file; file = readdir(dir)) {
		if (file->d_name[0] == '.' || fstatat(dirfd(dir), file->d_name, &st, 0) != 0)
			continue;
		EVP_DigestInit_ex(entry, EVP_sha256(), NULL);
		EVP_DigestUpdate(entry, file->d_name, strlen(file->d_name) + 1);
		digest_stat(entry, &st);
		EVP_DigestFinal_ex(entry, one, NULL);
		for (size_t i = 0; i < sizeof sum; i++)
			sum[i] ^= one[i];
	}
	EVP_MD_CTX_free(entry);
	EVP_DigestUpdate(sha, sum, sizeof sum);
}

static bool identify(const char *path, uint8_t identity[KEY_SIZE])
{
	struct stat st;
	memset(&st, 0, sizeof st);
	bool there = stat(path, &st) == 0;
	DIR *dir = there && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	bool good = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	if (good) {
		EVP_DigestUpdate(sha, path, strlen(path) + 1);
		digest_stat(sha, &st);
		if (dir)
			digest_directory(sha, dir);
		good = EVP_DigestFinal_ex(sha, identity, NULL) == 1;
	}
	if (dir)
		closedir(dir);
	EVP_MD_CTX_free(sha);
	return good;
}

const uint8_t *egret_source_add(struct egret_tls_ctx *ctx, const char *path)
{
	struct egret_source *source = &ctx->sources[ctx->source_count];
	if (ctx->source_count == sizeof ctx->sources / sizeof ctx->sources[0] || !(source->path = strdup(path)))
		return NULL;
	ctx->source_count++;
	return identify(path, source->identity) ? source->identity : NULL;
}

bool egret_sources_changed(const struct egret_tls_ctx *ctx)
{
	uint8_t now[KEY_SIZE];
	for (size_t i = 0; i < ctx->source_count; i++)
		if (!identify(ctx->sources[i].path, now) || memcmp(now, ctx->sources[i].identity, sizeof now) != 0)
			return true;
	return false;
}

void egret_sources_free(struct egret_tls_ctx *ctx)
{
	for (size_t i = 0; i < ctx->source_count; i++)
		free(ctx->sources[i].path);
}
