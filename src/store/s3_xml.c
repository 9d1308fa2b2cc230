#include "store/s3_xml.h"

#include <expat.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

/* What the text of an element goes to. */
struct field {
	char *to; /* NULL: it is passed over */
	size_t max, len;
};

struct reading {
	XML_Parser parser;
	const char *root; /* the element that it must be */
	bool root_seen, refused;
	unsigned depth;
	bool in_object;
	struct field field;
	struct s3_page *page;
	struct s3_object object;
	char truncated[8], size[24];
	bool key_seen, size_seen;
	char *code;
};

static void refuse(struct reading *reading)
{
	reading->refused = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

static void collect(struct reading *reading, char *to, size_t max)
{
	reading->field = (struct field){ .to = to, .max = max };
	to[0] = '\0';
}

static void begin_list_element(struct reading *reading, const char *name)
{
	bool top = reading->depth == 2;

	if (top && strcmp(name, "Contents") == 0) {
		reading->in_object = true;
		reading->key_seen = reading->size_seen = false;
	} else if (top && strcmp(name, "IsTruncated") == 0) {
		collect(reading, reading->truncated, sizeof reading->truncated - 1);
	} else if (top && strcmp(name, "NextContinuationToken") == 0) {
		collect(reading, reading->page->token, S3_TOKEN_MAX);
	} else if (reading->in_object && reading->depth == 3 && strcmp(name, "Key") == 0) {
		collect(reading, reading->object.key, S3_KEY_MAX);
		reading->key_seen = true;
	} else if (reading->in_object && reading->depth == 3 && strcmp(name, "Size") == 0) {
		collect(reading, reading->size, sizeof reading->size - 1);
		reading->size_seen = true;
	}
}

static void on_start(void *context, const char *name, const char **attributes)
{
	struct reading *reading = context;

	(void)attributes;
	reading->field = (struct field){ 0 };
	if (++reading->depth > DEPTH_MAX) {
		refuse(reading);
	} else if (reading->depth == 1) {
		reading->root_seen = strcmp(name, reading->root) == 0;
		if (!reading->root_seen)
			refuse(reading);
	} else if (reading->page != NULL) {
		begin_list_element(reading, name);
	} else if (reading->depth == 2 && strcmp(name, "Code") == 0) {
		collect(reading, reading->code, S3_CODE_MAX);
	}
}

static void on_text(void *context, const char *text, int len)
{
	struct reading *reading = context;
	struct field *field = &reading->field;

	if (field->to == NULL)
		return;
	if ((size_t)len > field->max - field->len || memchr(text, '\0', (size_t)len) != NULL) {
		refuse(reading);
		return;
	}
	memcpy(field->to + field->len, text, (size_t)len);
	field->len += (size_t)len;
	field->to[field->len] = '\0';
}

static bool read_number(const char *text, uint64_t *out)
{
	uint64_t number = 0;

	if (*text == '\0' || strlen(text) > 18)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = 10 * number + (uint64_t)(*text - '0');
	}
	*out = number;
	return true;
}

static void end_object(struct reading *reading)
{
	struct s3_page *page = reading->page;

	reading->in_object = false;
	if (!reading->key_seen || !reading->size_seen || reading->object.key[0] == '\0' ||
		!read_number(reading->size, &reading->object.size)) {
		refuse(reading);
		return;
	}
	page->count++;
	if (!page->found(page->context, &reading->object)) {
		page->stopped = true;
		XML_StopParser(reading->parser, XML_FALSE);
	}
}

static void on_end(void *context, const char *name)
{
	struct reading *reading = context;

	(void)name;
	reading->field = (struct field){ 0 };
	if (reading->depth == 2 && reading->in_object)
		end_object(reading);
	reading->depth--;
}

static void on_doctype(
	void *context, const char *name, const char *system_id, const char *public_id, int internal)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)internal;
	refuse(context);
}

/* Returns whether it is a whole document with the right root. */
static bool read_all(struct reading *reading, struct span text)
{
	XML_Parser parser = XML_ParserCreate(NULL);
	bool good;

	if (parser == NULL)
		abort();
	reading->parser = parser;
	XML_SetUserData(parser, reading);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	good = text.len <= INT32_MAX &&
	       XML_Parse(parser, (const char *)text.data, (int)text.len, 1) == XML_STATUS_OK;
	XML_ParserFree(parser);
	return good && reading->root_seen && !reading->refused;
}

int s3_page_read(struct span text, struct s3_page *page, struct err *err)
{
	struct reading reading = { .root = "ListBucketResult", .page = page };
	bool good;

	page->more = page->stopped = false;
	page->count = 0;
	page->token[0] = '\0';
	good = read_all(&reading, text);
	if (page->stopped)
		return 0;
	page->more = strcmp(reading.truncated, "true") == 0;
	if (!page->more)
		page->token[0] = '\0';
	if (!good || (!page->more && strcmp(reading.truncated, "false") != 0) ||
		(page->more && page->token[0] == '\0'))
		return err_set(err, ERR_CORRUPT, "the list of objects is no page of a list");
	return 0;
}

void s3_error_code(struct span text, char out[S3_CODE_MAX + 1])
{
	struct reading reading = { .root = "Error", .code = out };

	out[0] = '\0';
	if (!read_all(&reading, text))
		out[0] = '\0';
}
