#include "engine_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define ENGINE_FILE "libegret-tls.so"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(const struct egret_engine *) loaded;

int egret_tls_errno(enum egret_tls_failure failure)
{
	switch (failure) {
	case EGRET_TLS_OK: return 0;
	case EGRET_TLS_UNVERIFIED: return EACCES;
	case EGRET_TLS_PROTOCOL: return EPROTO;
	case EGRET_TLS_TIMEOUT: return ETIMEDOUT;
	case EGRET_TLS_CONNECTION: return ECONNRESET;
	case EGRET_TLS_MEMORY: return ENOMEM;
	}
	return EACCES;
}

/* The file this code was loaded from. For a program's own file the dynamic linker only knows argv[0], which its caller chose. */
static bool own_file(char *path, size_t size, bool *program)
{
	Dl_info info;
	if (!dladdr((void *)&loaded, &info) || !info.dli_fname)
		return false;
	*program = getauxval(AT_PHDR) - (uintptr_t)info.dli_fbase < 4096;
	if (!*program)
		return info.dli_fname[0] == '/' && (size_t)snprintf(path, size, "%s", info.dli_fname) < size;
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	path[length < 0 ? 0 : length] = '\0';
	return length > 0 && path[0] == '/';
}

/* Beside the library; in ../lib/egret beside the command. PATH gets what was tried. */
static void *open_beside(char *path, size_t size)
{
	bool program;
	char self[PATH_MAX];
	if (!own_file(self, sizeof self, &program))
		return NULL;
	snprintf(path, size, "%.*s%s" ENGINE_FILE, (int)(strrchr(self, '/') - self) + 1, self, program ? "../lib/egret/" : "");
	return access(path, R_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static const struct egret_engine *load(struct egret_tls_error *error)
{
	char path[PATH_MAX + 64] = ENGINE_FILE;
	void *handle = open_beside(path, sizeof path);
	const struct egret_engine *engine = handle ? dlsym(handle, EGRET_ENGINE_SYMBOL) : NULL;
	if (engine && engine->abi == EGRET_ENGINE_ABI)
		return engine;
	error->failure = EGRET_TLS_UNVERIFIED;
	const char *cause = engine ? "it is of another version; install egret as a whole" : dlerror();
	snprintf(error->text, sizeof error->text, "the TLS engine %s cannot be used: %s", path, cause ? cause : "not found");
	return NULL;
}

const struct egret_engine *egret_engine_load(struct egret_tls_error *error)
{
	const struct egret_engine *engine = atomic_load_explicit(&loaded, memory_order_acquire);
	if (engine)
		return engine;
	pthread_mutex_lock(&lock);
	engine = atomic_load(&loaded);
	if (!engine) {
		engine = load(error);
		atomic_store_explicit(&loaded, engine, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return engine;
}

const struct egret_engine *egret_engine_loaded(void)
{
	return atomic_load_explicit(&loaded, memory_order_acquire);
}
