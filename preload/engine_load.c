#include "engine_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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

/* The directory this code was loaded from; the command's library lives in ../lib/egret beside it. */
static void *open_beside(char *path, size_t size)
{
	static const char *const places[] = { "", "../lib/egret/" };
	Dl_info info;
	void *handle = NULL;
	if (!dladdr((void *)&loaded, &info) || !info.dli_fname)
		return NULL;
	const char *slash = strrchr(info.dli_fname, '/');
	int length = slash ? (int)(slash - info.dli_fname) + 1 : 0;
	for (size_t i = 0; i < sizeof places / sizeof places[0] && !handle; i++) {
		snprintf(path, size, "%.*s%s" ENGINE_FILE, length, info.dli_fname, places[i]);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return handle;
}

static const struct egret_engine *load(struct egret_tls_error *error)
{
	char path[4096] = ENGINE_FILE;
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
