/* Opens libegret-tls.so beside the object this code stands in (the library, or the command's ../lib/egret/), once.
 *
 * Thread-safe. Must not be called from a signal handler. Nothing in the environment can change the path.
 */
#ifndef EGRET_ENGINE_LOAD_H
#define EGRET_ENGINE_LOAD_H

#include "engine.h"

/* The engine's table, or NULL with ERROR filled (missing file, other ABI). */
const struct egret_engine *egret_engine_load(struct egret_tls_error *error);
/* The engine if it is already open, else NULL: for fork handlers and exit paths. */
const struct egret_engine *egret_engine_loaded(void);

#endif
