#include "web/web.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_MAX = 64 << 10,
	BODY_MAX = 1 << 20,
	TIMEOUT_MS = 10000,
};

struct web {
	CURL *curl;
	char why[CURL_ERROR_SIZE];
};

/* libcurl sets itself up once a process. */
static void set_up(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

struct web *web_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct web *web = calloc(1, sizeof *web);

	pthread_once(&once, set_up);
	if (web == NULL || (web->curl = curl_easy_init()) == NULL)
		abort();
	return web;
}

void web_free(struct web *web)
{
	if (web == NULL)
		return;
	curl_easy_cleanup(web->curl);
	free(web);
}

void web_response_init(struct web_response *response)
{
	*response = (struct web_response){ 0 };
	buf_init(&response->header, HEADER_MAX);
	buf_init(&response->body, BODY_MAX);
}

void web_response_fini(struct web_response *response)
{
	buf_fini(&response->header);
	buf_fini(&response->body);
}

/* A short count makes libcurl give up with CURLE_WRITE_ERROR. */
static size_t take_body(char *data, size_t size, size_t count, void *context)
{
	struct web_response *response = context;

	buf_put(&response->body, data, size * count);
	return buf_ok(&response->body) ? size * count : 0;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
	struct web_response *response = context;
	size_t len = size * count;

	/* An interim answer (100 Continue) comes with headers of its own. */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		buf_clear(&response->header);
		return len;
	}
	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	if (len > 0) {
		buf_put(&response->header, data, len);
		buf_put_u8(&response->header, '\n');
	}
	return buf_ok(&response->header) ? size * count : 0;
}

static enum err_code code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_WRITE_ERROR:
		return ERR_TOO_LARGE;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return ERR_BAD_REQUEST;
	default:
		return ERR_UNREACHABLE;
	}
}

static struct curl_slist *header_list(const char *const *headers)
{
	/* Waiting for a 100 Continue would cost a second wherever nobody sends one. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (; list != NULL && headers != NULL && *headers != NULL; headers++) {
		struct curl_slist *longer = curl_slist_append(list, *headers);

		if (longer == NULL)
			abort();
		list = longer;
	}
	if (list == NULL)
		abort();
	return list;
}

static void set_method(CURL *curl, const struct web_request *request)
{
	bool carries = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;

	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
		return;
	}
	if (carries || request->body.len > 0) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
			request->body.len > 0 ? (const char *)request->body.data : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* For this request alone: see `avoid`. */
static struct curl_slist *set_another_path(CURL *curl, const struct web_request *request)
{
	char address[WEB_ADDRESS_MAX], to[WEB_ADDRESS_MAX + 8];
	struct curl_slist *list = NULL;

	if (request->avoid == NULL)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L); /* the one before is not used again */
	if (!web_address_other_of(request->url, request->avoid, address))
		return NULL;
	/* Of whichever host and port there; the port stays. */
	snprintf(to, sizeof to, strchr(address, ':') != NULL ? "::[%s]:" : "::%s:", address);
	list = curl_slist_append(NULL, to);
	if (list == NULL)
		abort();
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, list);
	return list;
}

static void note_peer(CURL *curl, char out[WEB_ADDRESS_MAX])
{
	const char *peer = NULL;

	curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &peer);
	snprintf(out, WEB_ADDRESS_MAX, "%s", peer == NULL ? "" : peer);
}

int web_ask(struct web *web, const struct web_request *request, struct web_response *response,
	struct err *err)
{
	CURL *curl = web->curl;
	struct curl_slist *headers = header_list(request->headers), *path;
	int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS;
	long status = 0, sent = 0;
	CURLcode code;

	response->status = 0;
	response->sent = false;
	buf_clear(&response->header);
	buf_clear(&response->body);
	response->body.limit = request->max_body > 0 ? request->max_body : BODY_MAX;

	curl_easy_reset(curl); /* keeps connections */
	web->why[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, web->why);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (request->connect_timeout_ms > 0)
		curl_easy_setopt(
			curl, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
	if (request->ca_file != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "picstore");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, response);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, response);
	set_method(curl, request);
	path = set_another_path(curl, request);

	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
	response->sent = sent > 0;
	note_peer(curl, response->peer);
	curl_slist_free_all(headers);
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, NULL);
	curl_slist_free_all(path);
	/* The buffer belongs to this call alone, the handle stays. */
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (code != CURLE_OK)
		return err_set(err, code_of(code), "%s %s: %s", request->method, request->url,
			web->why[0] != '\0' ? web->why : curl_easy_strerror(code));
	response->status = (int)status;
	return 0;
}

struct span web_header(const struct web_response *response, const char *name)
{
	const uint8_t *at = response->header.data, *end = at + response->header.len;
	size_t name_len = strlen(name);

	while (at < end) {
		const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
		struct span value = span_of(at, (size_t)(line_end - at));

		at = line_end + 1;
		if (value.len <= name_len || value.data[name_len] != ':' ||
			!span_equal_nocase(span_of(value.data, name_len), span_of(name, name_len)))
			continue;
		value = span_of(value.data + name_len + 1, value.len - name_len - 1);
		while (value.len > 0 && (*value.data == ' ' || *value.data == '\t'))
			value = span_of(value.data + 1, value.len - 1);
		while (value.len > 0 &&
			(value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
			value.len--;
		return value;
	}
	return (struct span){ 0 };
}
