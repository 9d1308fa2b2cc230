#include "core/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	int http;
	int fdfs;
	const char *meaning;
} table[ERR_COUNT] = {
	[ERR_NONE] = { "ok", 200, 0, "done" },
	[ERR_BAD_REQUEST] = { "bad_request", 400, EINVAL, "the request is malformed" },
	[ERR_BAD_ID] = { "bad_id", 400, EINVAL, "that is not the id of a picture" },
	[ERR_NOT_FOUND] = { "not_found", 404, ENOENT, "there is no such picture" },
	[ERR_GONE] = { "gone", 410, ENOENT, "the picture has been deleted" },
	[ERR_EXISTS] = { "exists", 409, EEXIST, "it exists already" },
	[ERR_TOO_LARGE] = { "too_large", 413, EFBIG, "it is larger than allowed" },
	[ERR_FULL] = { "store_full", 507, ENOSPC, "the store has no room left" },
	[ERR_BUSY] = { "busy", 503, EBUSY, "too much is going on; try again later" },
	[ERR_NOT_ALLOWED] = { "not_allowed", 403, EPERM, "this caller may not do that" },
	[ERR_CORRUPT] = { "corrupt", 502, EIO, "the stored bytes do not match their id" },
	[ERR_UNKNOWN] = { "unknown", 503, EIO, "it may or may not have been done" },
	[ERR_UNREACHABLE] = { "store_down", 503, ENOTCONN, "the store cannot be reached" },
	[ERR_SERVICE_DOWN] = { "service_down", 503, ENOTCONN,
		"a service that this needs cannot be reached" },
	[ERR_TIMEOUT] = { "timeout", 503, ETIMEDOUT, "it took too long" },
	[ERR_IO] = { "io_error", 500, EIO, "the operating system reports an error" },
	[ERR_WOULD_BLOCK] = { "would_block", 503, EAGAIN, "it would have to wait" },
	[ERR_UNSUPPORTED] = { "unsupported", 501, EOPNOTSUPP, "that is not supported here" },
	[ERR_CONFIG] = { "bad_config", 500, EINVAL, "the configuration is wrong" },
	[ERR_INTERNAL] = { "internal", 500, EIO, "an internal error" },
	[ERR_METHOD] = { "bad_method", 405, EINVAL, "that method is not allowed here" },
	[ERR_NO_KEY] = { "no_key", 401, EPERM, "no session key was sent" },
	[ERR_BAD_KEY] = { "bad_key", 403, EPERM, "the session key is not valid" },
	[ERR_KEY_EXPIRED] = { "key_expired", 403, EPERM, "the session key has expired" },
	[ERR_KEY_NOT_YET] = { "key_not_yet", 403, EPERM, "the session key is from the future" },
	[ERR_NO_FILE] = { "no_file", 400, EINVAL, "no picture was sent" },
	[ERR_EMPTY_FILE] = { "empty_file", 400, EINVAL, "the picture has no bytes" },
	[ERR_NOT_A_PICTURE] = { "not_a_picture", 415, EINVAL, "that is not a picture" },
	[ERR_TYPE_MISMATCH] = { "type_mismatch", 415, EINVAL, "the type does not match" },
	[ERR_TOO_WIDE] = { "too_wide", 422, EINVAL, "the picture is too wide" },
	[ERR_TOO_HIGH] = { "too_high", 422, EINVAL, "the picture is too high" },
	[ERR_PIXEL_BOMB] = { "pixel_bomb", 422, EINVAL, "the picture has too many pixels" },
	[ERR_TRUNCATED] = { "truncated", 422, EINVAL, "the picture is cut off or damaged" },
};

/* A sentence goes to logs and JSON: one line, whatever a peer put into it. */
static void one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int(err_set)(struct err *err, enum err_code code, const char *format, ...)
{
	va_list args;

	assert(code > ERR_NONE && code < ERR_COUNT);
	if (err == NULL)
		return -1;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	one_line(err->text);
	return -1;
}

int(err_errno)(struct err *err, const char *format, ...)
{
	int number = errno;
	va_list args;
	size_t len;

	if (err == NULL)
		return -1;
	err->code = number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_IO;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(number));
	one_line(err->text);
	return -1;
}

int(err_prefix)(struct err *err, const char *format, ...)
{
	/* cppcheck-suppress ctunullpointer ; sizeof looks at nothing */
	char front[sizeof err->text], all[2 * sizeof err->text + 2];
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(front, sizeof front, format, args);
	va_end(args);
	snprintf(all, sizeof all, "%s: %s", front, err->text);
	memcpy(err->text, all, sizeof err->text - 1);
	err->text[sizeof err->text - 1] = '\0';
	one_line(err->text);
	return -1;
}

const char *err_word(enum err_code code)
{
	assert(code >= 0 && code < ERR_COUNT);
	return table[code].word;
}

int err_http_status(enum err_code code)
{
	assert(code >= 0 && code < ERR_COUNT);
	return table[code].http;
}

int err_fdfs_status(enum err_code code)
{
	assert(code >= 0 && code < ERR_COUNT);
	return table[code].fdfs;
}

const char *err_meaning(enum err_code code)
{
	assert(code >= 0 && code < ERR_COUNT);
	return table[code].meaning;
}

enum err_code err_from_fdfs(int status)
{
	static const struct {
		int status;
		enum err_code code;
	} map[] = {
		{ 0, ERR_NONE },
		{ ENOENT, ERR_NOT_FOUND },
		{ EINVAL, ERR_BAD_REQUEST },
		{ ENOSPC, ERR_FULL },
		{ EBUSY, ERR_BUSY },
		{ EEXIST, ERR_EXISTS },
		{ EPERM, ERR_NOT_ALLOWED },
		{ EACCES, ERR_NOT_ALLOWED },
		{ EFBIG, ERR_TOO_LARGE },
		{ EOPNOTSUPP, ERR_UNSUPPORTED },
		{ ETIMEDOUT, ERR_TIMEOUT },
		{ ENOTCONN, ERR_UNREACHABLE },
		/* A storage that cannot reach the one which hands out room in trunk files. */
		{ ECONNREFUSED, ERR_UNREACHABLE },
	};

	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (map[i].status == status)
			return map[i].code;
	return ERR_IO;
}
