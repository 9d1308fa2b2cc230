/* doctor_steps.c - a picture's whole life, through the real ports.
 *
 * The list of steps at the end is the test; each says what it needs to have worked before,
 * and what to look at if it fails. */
#include "programs/picstore/doctor_steps.h"

#include "photo/photo_client.h"
#include "programs/picstore/key_mint.h"
#include "programs/picstore/tiny_png.h"
#include "web/purge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	STORE = 1, /* the tracker answers */
	KEY = 2,   /* a session key was minted */
	ANSWER = 4,
	ID = 8,
	GONE = 16,

	URL_MAX = 1024,
	TIMEOUT_MS = 15000,
	PART = 100, /* bytes asked for by range */
};

/* ---- asking ---- */

static int ask(struct doctor *d, const char *method, const char *path, const char *header,
	struct span body, struct err *err)
{
	const char *const headers[] = { header, NULL };
	char url[URL_MAX];
	const struct web_request request = {
		.method = method,
		.url = url,
		.headers = headers,
		.body = body,
		.timeout_ms = TIMEOUT_MS,
		.max_body = 16 << 20,
	};

	snprintf(url, sizeof url, "%s/%s", d->base, path);
	return web_ask(d->web, &request, &d->response, err);
}

static int get(struct doctor *d, const char *method, const char *path, const char *header, int want,
	struct err *err)
{
	if (ask(d, method, path, header, (struct span){ 0 }, err) < 0)
		return -1;
	if (d->response.status != want)
		return err_set(err, ERR_INTERNAL, "%s /%s answers %d instead of %d", method, path,
			d->response.status, want);
	return 0;
}

static int same_bytes(struct doctor *d, size_t from, size_t len, struct err *err)
{
	if (!span_equal(buf_span(&d->response.body), span_of(d->picture.data + from, len)))
		return err_set(err, ERR_CORRUPT, "other bytes came back: %zu instead of %zu",
			d->response.body.len, len);
	return 0;
}

/* From a cache or not?  Where nobody says X-Cache, an age tells. */
static bool was_hit(const struct doctor *d)
{
	struct span cache = web_header(&d->response, "X-Cache");
	struct span age = web_header(&d->response, "Age");

	if (cache.len > 0)
		return span_equal_nocase(cache, SPAN("HIT"));
	return age.len > 0 && !span_is(age, "0");
}

/* ---- steps ---- */

static int step_tracker(struct doctor *d, struct err *err)
{
	struct fdfs_group *groups;
	uint64_t storages = 0, writable = 0;
	size_t count;

	if (fdfs_groups(d->client, &groups, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		storages += groups[i].storages;
		writable += groups[i].writable;
	}
	free(groups);
	snprintf(d->note, sizeof d->note,
		"%zu group%s, %" PRIu64 " of %" PRIu64 " storages take uploads", count,
		count == 1 ? "" : "s", writable, storages);
	if (writable == 0)
		return err_set(err, ERR_UNREACHABLE,
			"the tracker knows %zu groups, but no storage "
			"that takes uploads",
			count);
	return 0;
}

/* Straight to one group: store, fetch, delete, see that it is gone. */
static int try_group(struct doctor *d, const char *group, struct err *err)
{
	struct buf mine, back;
	struct file_id id;
	int result = -1;

	buf_init(&mine, 64 << 10);
	buf_init(&back, 64 << 10);
	tiny_png(&mine, ++d->seed);
	if (fdfs_upload(d->client, group, buf_span(&mine), "png", &id, err) < 0) {
		err_prefix(err, "upload");
		goto out;
	}
	if (fdfs_download(d->client, &id, &back, err) < 0)
		err_prefix(err, "download");
	else if (!span_equal(buf_span(&mine), buf_span(&back)))
		err_set(err, ERR_CORRUPT, "other bytes came back");
	else
		result = 0;
	if (fdfs_delete(d->client, &id, NULL, result == 0 ? err : NULL) < 0) {
		result = -1;
		err_prefix(err, "delete");
	}
	buf_clear(&back);
	if (result == 0 && (fdfs_download(d->client, &id, &back, err) == 0 ||
				   (err->code != ERR_GONE && err->code != ERR_NOT_FOUND)))
		result = err_set(err, ERR_INTERNAL, "it can still be read after its deletion");
out:
	buf_fini(&mine);
	buf_fini(&back);
	return result;
}

static int step_groups(struct doctor *d, struct err *err)
{
	struct fdfs_group *groups;
	size_t count, len = 0;
	int result = 0;

	if (fdfs_groups(d->client, &groups, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++) {
		result = try_group(d, groups[i].name, err);
		if (result < 0)
			err_prefix(err, "group %s", groups[i].name);
		if (len < sizeof d->note)
			len += (size_t)snprintf(d->note + len, sizeof d->note - len, "%s%s",
				i == 0 ? "" : ", ", groups[i].name);
	}
	free(groups);
	return result;
}

static int step_key(struct doctor *d, struct err *err)
{
	const struct upload_key key = { .uid = 1 };
	enum key_form form = d->settings->keys_jwt ? KEY_JWT : KEY_DES;

	snprintf(d->note, sizeof d->note, "%s", form == KEY_JWT ? "JWT" : "DES");
	return key_mint(d->settings, form, &key, d->settings->key_max_age / 1000, d->key, err);
}

static void put_form_field(
	struct buf *out, const char *boundary, const char *name, const char *value)
{
	buf_printf(out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n",
		boundary, name, value);
}

static int step_upload(struct doctor *d, struct err *err)
{
	char boundary[40], header[100];
	struct buf form;
	int result;

	snprintf(boundary, sizeof boundary, "picstore%016" PRIx64, d->seed);
	snprintf(header, sizeof header, "Content-Type: multipart/form-data; boundary=%s", boundary);
	buf_init(&form, 1 << 20);
	put_form_field(&form, boundary, "session_key", d->key);
	put_form_field(&form, boundary, "type", "png");
	buf_printf(&form,
		"--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"doctor.png\"\r\n"
		"Content-Type: image/png\r\n\r\n",
		boundary);
	buf_put_span(&form, buf_span(&d->picture));
	buf_printf(&form, "\r\n--%s--\r\n", boundary);
	result = ask(d, "POST", "upload.cgi", header, buf_span(&form), err);
	buf_fini(&form);
	if (result < 0)
		return -1;
	if (d->response.status != 200)
		return err_set(err, ERR_INTERNAL, "POST /upload.cgi answers %d: %.*s",
			d->response.status,
			(int)(d->response.body.len < 150 ? d->response.body.len : 150),
			d->response.body.data == NULL ? "" : (const char *)d->response.body.data);
	snprintf(d->note, sizeof d->note, "%zu bytes", d->picture.len);
	return 0;
}

static int step_answer(struct doctor *d, struct err *err)
{
	json_t *answer = json_loadb(
		(const char *)d->response.body.data, d->response.body.len, 0, NULL);
	const char *result = NULL, *lloc = NULL, *name = NULL;
	json_int_t album, photo, host, len = -1;
	int good = json_unpack(answer, "{s:s, s:I, s:I, s:s, s:I, s:s, s:I}", "result", &result,
		"albumid", &album, "photoid", &photo, "file_name", &name, "hostid", &host, "lloc",
		&lloc, "len", &len);

	if (good != 0)
		err_set(err, ERR_INTERNAL, "the answer is not the JSON that it should be: %.*s",
			(int)(d->response.body.len < 150 ? d->response.body.len : 150),
			d->response.body.data == NULL ? "" : (const char *)d->response.body.data);
	else if (strcmp(result, "success") != 0 || len != (json_int_t)d->picture.len)
		good = err_set(err, ERR_INTERNAL, "it says %.20s, %lld bytes instead of %zu",
			result, (long long)len, d->picture.len);
	else if (!file_id_parse(span_str(lloc), &d->id))
		good = err_set(err, ERR_BAD_ID, "lloc is no id: %.160s", lloc);
	else {
		file_id_format(&d->id, d->id_text);
		snprintf(d->note, sizeof d->note, "%s", d->id_text);
	}
	json_decref(answer);
	return good == 0 ? 0 : -1;
}

static int step_miss(struct doctor *d, struct err *err)
{
	struct span etag;

	if (get(d, "GET", d->id_text, NULL, 200, err) < 0 ||
		same_bytes(d, 0, d->picture.len, err) < 0)
		return -1;
	if (was_hit(d))
		return err_set(err, ERR_INTERNAL, "the first request is a hit already");
	etag = web_header(&d->response, "ETag");
	if (etag.len >= sizeof d->etag)
		return err_set(err, ERR_INTERNAL, "its ETag has %zu characters", etag.len);
	snprintf(d->etag, sizeof d->etag, "%.*s", (int)etag.len,
		etag.len == 0 ? "" : (const char *)etag.data);
	return 0;
}

static int step_hit(struct doctor *d, struct err *err)
{
	if (get(d, "GET", d->id_text, NULL, 200, err) < 0 ||
		same_bytes(d, 0, d->picture.len, err) < 0)
		return -1;
	if (!was_hit(d))
		return err_set(err, ERR_INTERNAL, "the second request is not a hit");
	return 0;
}

static int step_head(struct doctor *d, struct err *err)
{
	struct span len;
	char want[24];

	if (get(d, "HEAD", d->id_text, NULL, 200, err) < 0)
		return -1;
	len = web_header(&d->response, "Content-Length");
	snprintf(want, sizeof want, "%zu", d->picture.len);
	if (!span_is(len, want))
		return err_set(err, ERR_INTERNAL, "HEAD says Content-Length '%.*s' instead of %s",
			(int)(len.len < 20 ? len.len : 20),
			len.len == 0 ? "" : (const char *)len.data, want);
	if (!span_is(web_header(&d->response, "Content-Type"), "image/png"))
		return err_set(err, ERR_INTERNAL, "HEAD does not say Content-Type image/png");
	return 0;
}

static int step_range(struct doctor *d, struct err *err)
{
	if (get(d, "GET", d->id_text, "Range: bytes=100-199", 206, err) < 0)
		return -1;
	return same_bytes(d, 100, PART, err);
}

static int step_unchanged(struct doctor *d, struct err *err)
{
	char header[sizeof d->etag + 20];

	if (d->etag[0] == '\0')
		return err_set(err, ERR_INTERNAL, "the picture came without an ETag");
	snprintf(header, sizeof header, "If-None-Match: %s", d->etag);
	return get(d, "GET", d->id_text, header, 304, err);
}

static int step_long_form(struct doctor *d, struct err *err)
{
	char path[FILE_ID_TEXT_MAX + 40];

	snprintf(path, sizeof path, "download.fcgi/%s?from=doctor", d->id_text);
	if (get(d, "GET", path, NULL, 200, err) < 0 || same_bytes(d, 0, d->picture.len, err) < 0)
		return -1;
	if (!was_hit(d))
		return err_set(err, ERR_INTERNAL, "the long form of the URL is cached apart");
	return 0;
}

static int step_no_id(struct doctor *d, struct err *err)
{
	return get(d, "GET", "g01/M00/00/00/not-an-id.jpg", NULL, 400, err);
}

static int step_never_given(struct doctor *d, struct err *err)
{
	struct file_id other = d->id;
	char text[FILE_ID_TEXT_MAX + 1];

	other.kind = FILE_ID_NORMAL; /* FastDFS may have put it into a trunk file */
	other.crc ^= 0x5eed5eed;
	if (!file_id_make(&other, (uint32_t)(d->seed % 1000)))
		return err_set(err, ERR_INTERNAL, "cannot make an id");
	file_id_format(&other, text);
	return get(d, "GET", text, NULL, 404, err);
}

static int step_bad_key(struct doctor *d, struct err *err)
{
	static const char form[] = "--b\r\nContent-Disposition: form-data; "
				   "name=\"session_key\"\r\n\r\n0123\r\n--b--\r\n";

	if (ask(d, "POST", "upload.cgi", "Content-Type: multipart/form-data; boundary=b",
		    span_str(form), err) < 0)
		return -1;
	if (d->response.status != 403 && d->response.status != 400 && d->response.status != 401)
		return err_set(err, ERR_INTERNAL,
			"an upload with a forged key is answered %d instead of refused",
			d->response.status);
	return 0;
}

static int forget_photo(const struct doctor *d, struct err *err)
{
	const struct settings *settings = d->settings;
	struct photo_client *photos;
	int result;

	if (settings->upload_metadata[0] == '\0')
		return 0;
	photos = photo_client_new(settings, settings->upload_metadata, TIMEOUT_MS, err);
	if (photos == NULL)
		return -1;
	result = photo_client_deleted(photos, d->id_text, err);
	photo_client_free(photos);
	return result;
}

static int step_delete(struct doctor *d, struct err *err)
{
	struct purge_outcome outcome;

	if (fdfs_delete(d->client, &d->id, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < d->settings->varnish.count; i++)
		if (purge_cache(d->web, d->settings->varnish.items[i], &d->id, TIMEOUT_MS, &outcome,
			    err) < 0)
			return -1;
	if (forget_photo(d, err) < 0)
		return -1;
	snprintf(d->note, sizeof d->note, "from the store and %zu cache%s",
		d->settings->varnish.count, d->settings->varnish.count == 1 ? "" : "s");
	return 0;
}

/* FastDFS does not know what it has deleted, and a bucket neither. */
static int step_gone(struct doctor *d, struct err *err)
{
	if (get(d, "GET", d->id_text, NULL, 410, err) == 0 || d->response.status == 404)
		return 0;
	return -1;
}

const struct doctor_step doctor_steps[] = {
	{ "tracker", step_tracker, 0, STORE,
		"see \"picstore status\" and the logs of tracker_server and storage_server" },
	{ "store, every group", step_groups, STORE, 0,
		"see the log of that group's storage_server, and the room on its disks" },
	{ "session key", step_key, 0, KEY,
		"run it as root or as the user of the daemons: only they may read secret_dir" },
	{ "upload", step_upload, KEY, ANSWER,
		"see the logs of upload.cgi and lighttpd, and \"picstore status\"" },
	{ "answer", step_answer, ANSWER, ID, "see the log of upload.cgi" },
	{ "download, a miss", step_miss, ID, 0, "see the logs of download.fcgi and lighttpd" },
	{ "download, a hit", step_hit, ID, 0,
		"is varnishd started with picstore.vcl? Is public_url the cache?" },
	{ "long form of the URL", step_long_form, ID, 0, "is varnishd started with picstore.vcl?" },
	{ "HEAD", step_head, ID, 0, "see the log of download.fcgi" },
	{ "range", step_range, ID, 0, "is varnishd started with picstore.vcl?" },
	{ "not modified", step_unchanged, ID, 0, "is varnishd started with picstore.vcl?" },
	{ "400 for what is no id", step_no_id, 0, 0, "is varnishd started with picstore.vcl?" },
	{ "404 for an unknown id", step_never_given, ID, 0, "see the log of download.fcgi" },
	{ "a forged key is refused", step_bad_key, 0, 0, "see the log of upload.cgi" },
	{ "delete", step_delete, ID | STORE, GONE,
		"may this address purge? The acl \"purgers\" of varnishd has to name it" },
	{ "gone after its deletion", step_gone, GONE, 0,
		"see the logs of download.fcgi and storage_server" },
};

const size_t doctor_step_count = sizeof doctor_steps / sizeof doctor_steps[0];
