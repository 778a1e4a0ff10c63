/* What the program asked of its descriptors' close-on-exec (conn.h). */
#include "conn.h"

static _Atomic uint64_t cloexec_bits[EGRET_DESCRIPTORS / 64]; /* pages that no wrapped descriptor needs are never touched */

bool egret_conn_cloexec(int fd)
{
	return fd >= 0 && fd < EGRET_DESCRIPTORS && (atomic_load(&cloexec_bits[fd / 64]) >> (fd % 64) & 1);
}

void egret_conn_set_cloexec(int fd, bool on)
{
	if (fd < 0 || fd >= EGRET_DESCRIPTORS)
		return;
	if (on)
		atomic_fetch_or(&cloexec_bits[fd / 64], UINT64_C(1) << (fd % 64));
	else
		atomic_fetch_and(&cloexec_bits[fd / 64], ~(UINT64_C(1) << (fd % 64)));
}
