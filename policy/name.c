#include "name.h"

#include <dlfcn.h>
#include <string.h>

#define NAME_BYTES 253 /* RFC 1035 2.3.4, as text without the trailing dot */
#define LABEL_BYTES 63

/* idn2.h, libidn2.so.0: loaded only when a name is not ASCII, so that nobody else pays for it. */
#define IDN2_NFC_INPUT 1
#define IDN2_NONTRANSITIONAL 8

static enum egret_name_fault fold_ascii(const char *name, size_t len, char *out, size_t size)
{
	size_t label = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0)
		return EGRET_NAME_EMPTY;
	if (len > NAME_BYTES || len >= size)
		return EGRET_NAME_LONG;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c == '.') {
			if (label == 0)
				return EGRET_NAME_LABEL;
			label = 0;
			out[i] = c;
			continue;
		}
		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			c |= 0x20;
		else if (!((c >= '0' && c <= '9') || c == '-' || c == '_'))
			return EGRET_NAME_CHARACTER;
		if (++label > LABEL_BYTES)
			return EGRET_NAME_LABEL;
		out[i] = c;
	}
	out[len] = '\0';
	return label ? EGRET_NAME_GOOD : EGRET_NAME_LABEL;
}

static enum egret_name_fault fold_idna(const char *name, size_t len, char *out, size_t size)
{
	int (*lookup_u8)(const uint8_t *, uint8_t **, int);
	void (*release)(void *);
	char text[4 * EGRET_NAME_MAX];
	uint8_t *ascii = NULL;
	enum egret_name_fault fault = EGRET_NAME_IDNA;
	void *lib;

	if (len >= sizeof(text))
		return EGRET_NAME_LONG;
	if (memchr(name, '\0', len))
		return EGRET_NAME_CHARACTER;
	memcpy(text, name, len);
	text[len] = '\0';
	/* NODELETE: the next name finds it in memory, without state of our own. */
	lib = dlopen("libidn2.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib)
		return EGRET_NAME_NO_IDN;
	*(void **)&lookup_u8 = dlsym(lib, "idn2_lookup_u8");
	*(void **)&release = dlsym(lib, "idn2_free");
	if (!lookup_u8 || !release)
		fault = EGRET_NAME_NO_IDN;
	else if (lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == 0 && ascii)
		fault = fold_ascii((const char *)ascii, strlen((const char *)ascii), out, size);
	if (ascii)
		release(ascii);
	dlclose(lib);
	return fault;
}

static bool is_ascii(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] >= 0x80)
			return false;
	return true;
}

enum egret_name_fault egret_name_fold(const char *name, size_t len, char *out, size_t size)
{
	enum egret_name_fault fault = fold_ascii(name, len, out, size);

	if (fault != EGRET_NAME_GOOD && !is_ascii(name, len))
		fault = fold_idna(name, len, out, size);
	if (fault != EGRET_NAME_GOOD && size > 0)
		out[0] = '\0';
	return fault;
}

bool egret_name_canonical(const char *name, size_t len, char *out, size_t size)
{
	return egret_name_fold(name, len, out, size) == EGRET_NAME_GOOD;
}

const char *egret_name_fault_text(enum egret_name_fault fault)
{
	switch (fault) {
	case EGRET_NAME_GOOD:
		return "is a host name";
	case EGRET_NAME_EMPTY:
		return "is empty";
	case EGRET_NAME_LONG:
		return "is longer than 253 bytes";
	case EGRET_NAME_LABEL:
		return "has an empty label or one over 63 bytes";
	case EGRET_NAME_CHARACTER:
		return "has a character that no host name has";
	case EGRET_NAME_IDNA:
		return "is not a valid international name (IDNA2008)";
	case EGRET_NAME_NO_IDN:
		return "is not ASCII, and libidn2.so.0, which would convert it, could not be loaded; write its xn-- form";
	}
	return "is not a host name";
}
