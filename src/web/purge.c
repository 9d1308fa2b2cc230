#include "web/purge.h"

#include "core/clock.h"

#include <poll.h>
#include <stdio.h>

enum {
	PURGES_MAX = 6,
	PAUSE_MS = 20, /* before the second purge; doubles */
	URL_MAX = 512,
};

static int tell(struct web *web, const char *cache, const char *url, const char *id,
	int64_t timeout_ms, struct web_response *response, struct err *err)
{
	char header[FILE_ID_TEXT_MAX + 32];
	const char *const headers[] = { header, NULL };
	const struct web_request request = {
		.method = "PURGE", .url = url, .headers = headers, .timeout_ms = timeout_ms
	};

	snprintf(header, sizeof header, "xkey-purge: %s", id);
	if (web_ask(web, &request, response, err) < 0)
		return -1;
	if (response->status == 200)
		return 0;
	if (response->status == 403 || response->status == 405)
		return err_set(err, ERR_NOT_ALLOWED,
			"the cache %s refuses to purge (status %d): is this address in its list?",
			cache, response->status);
	return err_set(
		err, ERR_UNKNOWN, "the cache %s answers %d to a purge", cache, response->status);
}

/* One byte tells as much as the whole picture. */
static int look(struct web *web, const char *url, int64_t timeout_ms, struct web_response *response,
	struct err *err)
{
	static const char *const headers[] = { "Range: bytes=0-0", NULL };
	const struct web_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.timeout_ms = timeout_ms,
		.max_body = 64 << 20,
	};

	return web_ask(web, &request, response, err);
}

int purge_cache(struct web *web, const char *cache, const struct file_id *id, int64_t timeout_ms,
	struct purge_outcome *outcome, struct err *err)
{
	char text[FILE_ID_TEXT_MAX + 1], url[URL_MAX];
	struct web_response response;
	int result = -1;

	*outcome = (struct purge_outcome){ 0 };
	file_id_format(id, text);
	if ((size_t)snprintf(url, sizeof url, "http://%s/%s", cache, text) >= sizeof url)
		return err_set(
			err, ERR_CONFIG, "the cache's address '%.40s...' is too long", cache);
	web_response_init(&response);
	for (;;) {
		if (tell(web, cache, url, text, timeout_ms, &response, err) < 0)
			break;
		outcome->purges++;
		if (look(web, url, timeout_ms, &response, err) < 0)
			break;
		outcome->status = response.status;
		if (response.status == 404 || response.status == 410) {
			outcome->confirmed = clock_unix();
			result = 0;
			break;
		}
		if (outcome->purges == PURGES_MAX || response.status >= 300) {
			err_set(err, ERR_UNKNOWN, "the cache %s answers %d after %d purges", cache,
				response.status, outcome->purges);
			break;
		}
		poll(NULL, 0, PAUSE_MS << (outcome->purges - 1));
	}
	web_response_fini(&response);
	return result;
}
