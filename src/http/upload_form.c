#include "http/upload_form.h"

#include "core/utf8.h"
#include "http/base64.h"
#include "http/header_param.h"
#include "http/multipart.h"

#include <jansson.h>
#include <string.h>

enum { JSON_MARKS_MAX = 1000 };

/* Control characters, line separators, and what turns the direction of writing, by
 * which "gpj.exe" looks like "exe.jpg". */
static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void upload_file_name(struct span sent, char out[UPLOAD_FILE_NAME_MAX + 1])
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	size_t from = 0, len = 0;

	for (size_t i = 0; i < sent.len; i++)
		if (sent.data[i] == '/' || sent.data[i] == '\\')
			from = i + 1;
	while (from < sent.len) {
		const void *bytes = sent.data + from;
		uint32_t point = 0;
		size_t used = utf8_next(span_of(bytes, sent.len - from), &point), size = used;

		if (used == 0) {
			bytes = replacement;
			size = strlen(replacement);
			used = 1;
		}
		from += used;
		if (is_control(point) && size == used)
			continue;
		if (len + size > UPLOAD_FILE_NAME_MAX)
			break;
		memcpy(out + len, bytes, size);
		len += size;
	}
	out[len] = '\0';
}

static int twice(const char *name, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "the form has the field %s twice", name);
}

static int take_part(
	struct upload_form *form, const struct multipart_part *part, bool seen[3], struct err *err)
{
	static const char *const names[] = { "session_key", "type", "file" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(part->name, names[i]) != 0)
			continue;
		if (seen[i])
			return twice(names[i], err);
		seen[i] = true;
		if (i == 0)
			form->session_key = header_trim(part->data);
		else if (i == 1)
			form->type = header_trim(part->data);
		else if (part->data.len > 0 || !part->has_filename || part->filename[0] != '\0') {
			/* Otherwise a browser says that no file was chosen. */
			form->has_file = true;
			form->file = part->data;
			upload_file_name(span_str(part->filename), form->file_name);
		}
	}
	return 0;
}

static int read_multipart(
	struct upload_form *form, struct span content_type, struct span body, struct err *err)
{
	struct multipart multipart;
	struct multipart_part part;
	bool seen[3] = { false };
	int got;

	if (multipart_open(&multipart, content_type, body, err) < 0)
		return -1;
	while ((got = multipart_next(&multipart, &part, err)) > 0)
		if (take_part(form, &part, seen, err) < 0)
			return -1;
	return got;
}

/* A member that must be a text if it is there. */
static int json_text(
	const json_t *root, const char *name, struct span *text, bool *has, struct err *err)
{
	const json_t *value = json_object_get(root, name);

	*has = value != NULL && !json_is_null(value);
	if (!*has)
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_BAD_REQUEST, "the member %s is not a text", name);
	*text = span_of(json_string_value(value), json_string_length(value));
	return 0;
}

/* What is behind "data:image/jpeg;base64,", if it is a data: URL. */
static struct span behind_data_url(struct span text)
{
	enum { PREFIX_MAX = 128 };
	size_t window = text.len < PREFIX_MAX ? text.len : PREFIX_MAX;
	const uint8_t *comma;

	if (text.len < 5 || !span_equal_nocase(span_of(text.data, 5), SPAN("data:")))
		return text;
	comma = memchr(text.data, ',', window);
	return comma == NULL ? text
			     : span_of(comma + 1, text.len - (size_t)(comma + 1 - text.data));
}

/* True if there are few values in `text`, which need not be JSON.  A value of three bytes
 * costs the parser hundreds: a body of brackets alone would be gigabytes. */
static bool is_sparse(struct span text)
{
	size_t marks = 0;
	bool inside = false;

	for (size_t i = 0; i < text.len && marks <= JSON_MARKS_MAX; i++) {
		uint8_t c = text.data[i];

		if (inside && c == '\\')
			i++;
		else if (c == '"')
			inside = !inside;
		else if (!inside && (c == ',' || c == '[' || c == '{'))
			marks++;
	}
	return marks <= JSON_MARKS_MAX;
}

static int read_json(struct upload_form *form, struct span body, struct err *err)
{
	struct span key = { 0 }, type = { 0 }, name = { 0 };
	json_error_t why;
	bool has;

	if (!is_sparse(body))
		return err_set(err, ERR_BAD_REQUEST, "the body has over %d values", JSON_MARKS_MAX);
	form->json = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &why);
	if (form->json == NULL)
		return err_set(err, ERR_BAD_REQUEST,
			"the body is not JSON, from line %d, column %d", why.line, why.column);
	if (!json_is_object((json_t *)form->json))
		return err_set(err, ERR_BAD_REQUEST, "the body is not a JSON object");
	if (json_text(form->json, "session_key", &key, &has, err) < 0 ||
		json_text(form->json, "type", &type, &has, err) < 0 ||
		json_text(form->json, "file_name", &name, &has, err) < 0 ||
		json_text(form->json, "file", &form->file, &form->has_file, err) < 0)
		return -1;
	form->session_key = header_trim(key);
	form->type = header_trim(type);
	form->file = behind_data_url(form->file);
	form->is_base64 = true;
	upload_file_name(name, form->file_name);
	return 0;
}

int upload_form_read(
	struct upload_form *form, struct span content_type, struct span body, struct err *err)
{
	struct span word = header_word(content_type);

	*form = (struct upload_form){ 0 };
	if (span_equal_nocase(word, SPAN("multipart/form-data")))
		return read_multipart(form, content_type, body, err);
	if (span_equal_nocase(word, SPAN("application/json")))
		return read_json(form, body, err);
	return err_set(err, ERR_BAD_REQUEST,
		"the content type must be multipart/form-data or application/json");
}

int upload_form_file(struct upload_form *form, size_t max, struct span *file, struct err *err)
{
	struct span found = form->file;

	if (!form->has_file)
		return err_set(err, ERR_NO_FILE, "the form has no field file");
	if (form->is_base64 && form->decoded.data == NULL) {
		/* Line breaks may make a third more of it than it should be. */
		if (found.len / 4 * 3 > max + max / 3 + 3)
			return err_set(err, ERR_TOO_LARGE, "the picture has over %zu bytes", max);
		buf_init(&form->decoded, found.len / 4 * 3 + 3);
		if (!base64_decode(found, &form->decoded))
			return err_set(err, ERR_BAD_REQUEST, "the member file is not base64");
	}
	if (form->is_base64)
		found = buf_span(&form->decoded);
	if (found.len == 0)
		return err_set(err, ERR_EMPTY_FILE, "the picture has no bytes");
	if (found.len > max)
		return err_set(err, ERR_TOO_LARGE, "the picture has %zu bytes, %zu are the most",
			found.len, max);
	*file = found;
	return 0;
}

void upload_form_fini(struct upload_form *form)
{
	json_decref(form->json);
	buf_fini(&form->decoded);
	*form = (struct upload_form){ 0 };
}
