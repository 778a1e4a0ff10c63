#include "http_internal.h"

/* SIZE LF DATA DATA_CR DATA_LF: one chunk. Of extensions one ";name=value" in its plainest form: servers read others in many ways. TRAILER: fields behind the last one, END_LF the line end that ends it all. */
enum step { SIZE, EXTENSION, EXTENSION_NAME, EXTENSION_VALUE, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_NAME, TRAILER_TEXT, TRAILER_LF, END_LF };

#define LINE_MAX_BYTES 4096  /* of a chunk's line or of all trailers */
#define SIZE_DIGITS 15

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static bool is_text(char c)
{
	return (unsigned char)c >= 0x20 ? c != 0x7f : c == '\t';
}

static bool read_size(struct egret_http_chunks *chunks, char c)
{
	int digit = digit_of(c);

	if (digit >= 0) {
		chunks->left = chunks->left << 4 | (unsigned)digit;
		return ++chunks->digits <= SIZE_DIGITS;
	}
	chunks->step = c == '\r' ? SIZE_LF : EXTENSION;
	return chunks->digits && (c == '\r' || c == ';');
}

/* One byte that is no chunk data. False: malformed. */
static bool read_byte(struct egret_http_chunks *chunks, char c)
{
	if (++chunks->line > LINE_MAX_BYTES)
		return false;
	switch ((enum step)chunks->step) {
	case SIZE:
		return read_size(chunks, c);
	case EXTENSION:
		chunks->step = EXTENSION_NAME;
		return egret_http_is_token_byte((unsigned char)c);
	case EXTENSION_NAME:
		chunks->step = c == '\r' ? SIZE_LF : c == '=' ? EXTENSION_VALUE : EXTENSION_NAME;
		return c == '\r' || c == '=' || egret_http_is_token_byte((unsigned char)c);
	case EXTENSION_VALUE:
		chunks->step = c == '\r' ? SIZE_LF : EXTENSION_VALUE;
		return c == '\r' || egret_http_is_token_byte((unsigned char)c);
	case SIZE_LF:
		chunks->last = !chunks->left;
		chunks->step = chunks->last ? TRAILER : DATA;
		chunks->line = chunks->digits = 0;
		return c == '\n';
	case DATA:
		return false;
	case DATA_CR:
		chunks->step = DATA_LF;
		return c == '\r';
	case DATA_LF:
		chunks->step = SIZE;
		chunks->line = 0;
		return c == '\n';
	case TRAILER:
		chunks->name = (struct egret_http_letters){ .count = 0 };
		egret_http_spell(&chunks->name, c);
		chunks->step = c == '\r' ? END_LF : TRAILER_NAME;
		return c == '\r' || egret_http_is_token_byte((unsigned char)c);
	case TRAILER_NAME:
		egret_http_spell(&chunks->name, c);
		chunks->step = c == ':' ? TRAILER_TEXT : TRAILER_NAME;
		return c == ':' ? !egret_http_spells_length(&chunks->name) : egret_http_is_token_byte((unsigned char)c);
	case TRAILER_TEXT:
		chunks->step = c == '\r' ? TRAILER_LF : TRAILER_TEXT;
		return c == '\r' || is_text(c);
	case TRAILER_LF:
		chunks->step = TRAILER;
		return c == '\n';
	case END_LF:
		return c == '\n';
	}
	return false;
}

ssize_t egret_http_chunks_read(struct egret_http_chunks *chunks, const char *data, size_t len, bool *done, int64_t *body)
{
	size_t at = 0;

	*done = false;
	while (at < len && !*done) {
		bool ends = chunks->step == END_LF;
		size_t part = len - at;

		if (chunks->step != DATA) {
			if (!read_byte(chunks, data[at++]))
				return -1;
			*done = ends;
			continue;
		}
		if (part > chunks->left)
			part = (size_t)chunks->left;
		at += part;
		chunks->left -= part;
		*body += (int64_t)part;
		if (!chunks->left)
			chunks->step = DATA_CR;
	}
	return (ssize_t)at;
}
