/* Whatever is written first on a passthrough socket, cut at the places that the first byte says. */
// objects: preload/sni.c preload/buf.c
#include "preload/sni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? data[0] % 17 + 1 : 1, len;
	struct egret_sni *sni = egret_sni_new();
	volatile const char *name;

	for (size_t at = 1; sni && at < size; at += step)
		if (egret_sni_feed(sni, data + at, size - at < step ? size - at : step) != EGRET_SNI_NEED_MORE)
			break;
	name = sni ? egret_sni_name(sni, &len) : NULL;
	while (name && len)
		(void)name[--len];
	egret_sni_free(sni);
	return 0;
}
