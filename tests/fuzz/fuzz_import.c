/* Manifests of a mesh, whatever they say: a policy or an error, never a crash. */
// objects: tools/import/authorize.c tools/import/node.c tools/import/read.c tools/import/route.c tools/import/schema.c
// objects: tools/import/tls.c tools/import/write.c
// libs: libyaml.a
#include "policy/policy.h"
#include "tools/import/import.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const char *text, size_t len)
{
	struct egret_err err = { 0 };
	struct egret_policy *policy = egret_policy_parse("/imported.ini", text, len, &err, NULL);

	if (!policy && !egret_err_any(&err))
		abort();
	egret_err_free(&err);
	egret_policy_unref(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct egret_manifests all = { 0 };
	char path[64], *text = NULL;
	size_t len = 0;
	int fd = memfd_create("manifest", MFD_CLOEXEC);
	FILE *to = open_memstream(&text, &len);

	if (fd < 0 || !to || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (egret_manifests_read(&all, path)) {
		egret_import_write(&all, to);
		fflush(to);
		if (!egret_err_any(&all.err))
			load(text, len);
	} else if (!egret_err_any(&all.err)) {
		abort();
	}
	fclose(to);
	free(text);
	close(fd);
	egret_manifests_free(&all);
	return 0;
}
