/* Libraries that are loaded later find our functions before the libc's, as those that were there at the start do.
 *
 * dlopen(3) with RTLD_DEEPBIND would look in the library's own needs first, the libc among them: the flag is dropped, in exports.c.
 */
#include "hooks.h"
#include "real.h"
#include "runtime.h"

/* Another name space has another libc, and nothing of ours in it. */
void *egret_on_dlmopen(Lmid_t space, const char *file, int flags)
{
	if (space == LM_ID_BASE || egret_runtime.mode == EGRET_OFF)
		return real.dlmopen(space, file, flags & ~RTLD_DEEPBIND);
	return real.dlopen("/egret: a library in a name space of its own would run uncovered, dlmopen", RTLD_NOW); /* so that dlerror says so */
}
