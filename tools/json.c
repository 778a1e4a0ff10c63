#include "tools/json.h"

void egret_json_string(FILE *to, const char *text)
{
	if (!text) {
		fputs("null", to);
		return;
	}
	fputc('"', to);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(to, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(to, "\\u%04x", byte);
		else
			fputc(byte, to);
	}
	fputc('"', to);
}

static void key_of(FILE *to, int first, const char *key)
{
	fputs(first ? "" : ", ", to);
	egret_json_string(to, key);
	fputs(": ", to);
}

void egret_json_member(FILE *to, int first, const char *key, const char *value)
{
	key_of(to, first, key);
	egret_json_string(to, value);
}

void egret_json_number(FILE *to, int first, const char *key, long value)
{
	key_of(to, first, key);
	if (value < 0)
		fputs("null", to);
	else
		fprintf(to, "%ld", value);
}
