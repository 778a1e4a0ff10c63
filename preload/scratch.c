#include "scratch.h"

#include "policy/raw.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define ROOMS 4

static struct room {
	char bytes[EGRET_SCRATCH];
} rooms[ROOMS];
static _Atomic bool taken[ROOMS];

void *egret_scratch_take(void)
{
	for (int i = 0; i < ROOMS; i++)
		if (!atomic_exchange(&taken[i], true))
			return &rooms[i];
	long at = egret_raw6(SYS_mmap, 0, EGRET_SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at < 0 && at > -4096 ? NULL : (void *)at;
}

void egret_scratch_give(void *room)
{
	struct room *one = room;
	if (one >= rooms && one < rooms + ROOMS)
		atomic_store(&taken[one - rooms], false);
	else if (room)
		egret_raw(SYS_munmap, room, EGRET_SCRATCH, 0, 0);
}
