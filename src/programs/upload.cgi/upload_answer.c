#include "programs/upload.cgi/upload_decide.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

enum { RETRY_SOON_S = 5, RETRY_LATER_S = 60 };

/* True for failures of ours, whose sentences name hosts and files that are nobody
 * else's business. */
static bool is_ours(enum err_code code)
{
	return err_http_status(code) >= 500;
}

static void put_json(struct http_response *response, json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_ESCAPE_SLASH);

	assert(text != NULL);
	buf_put_str(&response->body, text);
	free(text);
	json_decref(root);
}

static void put_failure(const struct err *err, struct http_response *response)
{
	const char *message = is_ours(err->code) ? err_meaning(err->code) : err->text;
	json_t *text = json_string(message);

	if (text == NULL) /* the sentence quotes bytes that are no UTF-8 */
		text = json_string(err_meaning(err->code));
	response->status = err_http_status(err->code);
	if (err->code == ERR_METHOD)
		http_header(response, "Allow", "POST");
	if (response->status == 503)
		http_header(response, "Retry-After", "%d", RETRY_SOON_S);
	if (response->status == 507)
		http_header(response, "Retry-After", "%d", RETRY_LATER_S);
	put_json(response, json_pack("{s:s, s:s, s:o}", "result", "fail", "error",
				   err_word(err->code), "message", text));
}

static void put_success(const struct upload_result *result, struct http_response *response)
{
	char id[FILE_ID_TEXT_MAX + 1];

	file_id_format(&result->id, id);
	response->status = 200;
	put_json(response,
		json_pack("{s:s, s:I, s:I, s:s, s:I, s:s, s:I}", "result", "success", "albumid",
			(json_int_t)result->albumid, "photoid", (json_int_t)result->photoid,
			"file_name", result->file_name, "hostid", (json_int_t)result->key.uid,
			"lloc", id, "len", (json_int_t)result->len));
}

void upload_answer(
	const struct upload_result *result, const struct err *err, struct http_response *response)
{
	http_header(response, "Content-Type", "application/json; charset=utf-8");
	http_header(response, "Cache-Control", "no-store");
	http_header(response, "X-Content-Type-Options", "nosniff");
	if (err != NULL)
		put_failure(err, response);
	else
		put_success(result, response);
}
