#include "http/request.h"

#include <assert.h>
#include <string.h>

void http_response_init(struct http_response *response, size_t body_limit)
{
	*response = (struct http_response){ 0 };
	buf_init(&response->header, HTTP_HEADER_MAX);
	buf_init(&response->body, body_limit);
}

void http_response_fini(struct http_response *response)
{
	buf_fini(&response->header);
	buf_fini(&response->body);
}

void http_response_reset(struct http_response *response)
{
	response->status = 0;
	buf_clear(&response->header);
	buf_clear(&response->body);
	response->file_path[0] = '\0';
	response->file_offset = 0;
	response->file_len = 0;
	response->omitted_len = 0;
}

/* No control characters but tabs.  Eight bytes at a time, as this is a third of what the
 * headers of an answer cost otherwise; where there may be one, each by itself. */
static bool is_text(const uint8_t *data, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t word, del;

		memcpy(&word, data + i, 8);
		del = word ^ ones * 0x7f;
		/* a byte under 0x20, or one that is 0x7f */
		if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & highs)
			break;
	}
	for (; i < len; i++)
		if ((data[i] < 0x20 && data[i] != '\t') || data[i] == 0x7f)
			return false;
	return true;
}

void http_header(struct http_response *response, const char *name, const char *format, ...)
{
	struct buf *header = &response->header;
	size_t start = header->len;
	va_list args;

	buf_put_str(header, name);
	buf_put_str(header, ": ");
	va_start(args, format);
	buf_vprintf(header, format, args);
	va_end(args);
	assert(is_text(header->data + start, header->len - start));
	buf_put_str(header, "\r\n");
}

void http_failure(struct http_response *response, enum err_code code, const char *message)
{
	response->status = err_http_status(code);
	http_header(response, "Content-Type", "application/json");
	http_header(response, "X-Content-Type-Options", "nosniff");
	http_header(response, "Cache-Control", "no-store");
	if (response->status == 503)
		http_header(response, "Retry-After", "5");
	buf_clear(&response->body);
	buf_printf(&response->body, "{\"result\":\"fail\",\"error\":\"%s\",\"message\":\"%s\"}\n",
		err_word(code), message);
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} table[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].status == status)
			return table[i].reason;
	return "Unknown";
}
