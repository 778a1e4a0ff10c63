#include "engine_load.h"

#include "scratch.h"

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

struct room {
	char self[PATH_MAX], path[PATH_MAX + 64];
};
_Static_assert(sizeof(struct room) <= EGRET_SCRATCH, "it is made in a room of scratch.h");

/* Beside the library; in ../lib/egret beside the command. ROOM->path gets what was tried. */
static void *open_beside(struct room *room)
{
	bool program;
	snprintf(room->path, sizeof room->path, ENGINE_FILE);
	if (!own_file(room->self, sizeof room->self, &program))
		return NULL;
	snprintf(room->path, sizeof room->path, "%.*s%s" ENGINE_FILE, (int)(strrchr(room->self, '/') - room->self) + 1, room->self,
		 program ? "../lib/egret/" : "");
	return access(room->path, R_OK) == 0 ? dlopen(room->path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static const struct egret_engine *load(struct room *room, struct egret_tls_error *error)
{
	void *handle = room ? open_beside(room) : NULL;
	const struct egret_engine *engine = handle ? dlsym(handle, EGRET_ENGINE_SYMBOL) : NULL;
	if (engine && engine->abi == EGRET_ENGINE_ABI)
		return engine;
	error->failure = EGRET_TLS_UNVERIFIED;
	const char *cause = !room ? "memory is out" : engine ? "it is of another version; install egret as a whole" : dlerror();
	snprintf(error->text, sizeof error->text, "the TLS engine %.400s cannot be used: %s", room ? room->path : ENGINE_FILE, cause ? cause : "not found");
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
		struct room *room = egret_scratch_take();
		engine = load(room, error);
		egret_scratch_give(room);
		atomic_store_explicit(&loaded, engine, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return engine;
}

const struct egret_engine *egret_engine_loaded(void)
{
	return atomic_load_explicit(&loaded, memory_order_acquire);
}
