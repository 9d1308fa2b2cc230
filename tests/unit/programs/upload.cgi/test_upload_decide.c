#include "programs/upload.cgi/upload_decide.h"
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name, value)                                                                         \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define PICTURE(filename, bytes)                                                                   \
	"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" filename              \
	"\"\r\nContent-Type: image/jpeg\r\n\r\n" bytes "\r\n"
#define JPEG "\xff\xd8\xff\xe0pixels"
#define END  "--XX--\r\n"

static const int64_t now = 1549867346;

/* What the fakes say, and whether they were asked. */
static struct fake {
	enum err_code check, store;
	uint32_t width, height;
	int checked, stored;
	/* the record */
	enum err_code note, settle, dropped;
	int notes, drops, settles;
	char ext[8];
	size_t stored_len;
} fake;

static int fake_check(
	void *context, struct span bytes, struct picture_facts *facts, struct err *err)
{
	assert_ptr_equal(context, &fake);
	fake.checked++;
	if (fake.check != ERR_NONE)
		return err_set(err, fake.check, "the check says so");
	*facts = (struct picture_facts){ picture_sniff(bytes), fake.width, fake.height, 1 };
	return 0;
}

static int fake_store(
	void *context, struct span bytes, const char *ext, struct file_id *id, struct err *err)
{
	assert_ptr_equal(context, &fake);
	fake.stored++;
	if (fake.store != ERR_NONE)
		return err_set(err, fake.store, "10.0.0.1:23000 says \"so\"");
	snprintf(fake.ext, sizeof fake.ext, "%s", ext);
	fake.stored_len = bytes.len;
	assert_true(file_id_parse(SPAN("g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg"), id));
	return 0;
}

static int fake_note(void *context, struct upload_result *what, const struct picture_facts *facts,
	struct span bytes, int64_t at, struct err *why)
{
	assert_ptr_equal(context, &fake);
	assert_int_equal(fake.stored, 0); /* the photo comes first */
	assert_int_equal(facts->width, fake.width);
	assert_int_equal(bytes.len, 10);
	assert_int_equal(at, now);
	fake.notes++;
	if (fake.note != ERR_NONE)
		return err_set(why, fake.note, "10.0.0.1:7004 says so");
	what->albumid = 4;
	what->photoid = 12345678901;
	return 0;
}

static void fake_drop(void *context, const struct upload_result *what, enum err_code why)
{
	assert_ptr_equal(context, &fake);
	assert_int_equal(what->photoid, 12345678901);
	fake.drops++;
	fake.dropped = why;
}

static int fake_settle(void *context, const struct upload_result *what, struct err *why)
{
	assert_ptr_equal(context, &fake);
	assert_int_equal(fake.stored, 1);
	assert_int_equal(what->photoid, 12345678901);
	fake.settles++;
	return fake.settle == ERR_NONE ? 0 : err_set(why, fake.settle, "10.0.0.1:7004 says so");
}

static int64_t fake_clock(void)
{
	static int64_t us;

	return us += 10;
}

static struct upload_rules rules(void)
{
	struct upload_rules r = {
		.keys = { .des = true,
			.jwt = true,
			.jwt_secret_len = 32,
			.max_age = 3600,
			.clock_ahead = 60 },
		.max_bytes = 100,
		.formats = 1 << PICTURE_JPEG | 1 << PICTURE_PNG,
		.check = fake_check,
		.store = fake_store,
		.context = &fake,
		.clock_us = fake_clock,
	};

	memcpy(r.keys.des_secret, "picstore", 8);
	memset(r.keys.jwt_secret, 's', 32);
	fake = (struct fake){ .width = 640, .height = 480 };
	return r;
}

/* A key of uid 10001 in album 3 with these limits, issued at `issued`. */
static const char *key_of(uint32_t width, uint32_t height, int64_t issued)
{
	static char text[UPLOAD_KEY_DES_LEN + 1];
	struct upload_rules r = rules();
	struct upload_key key = { .uid = 10001,
		.albumid = 3,
		.issued = issued,
		.max_width = width,
		.max_height = height };

	assert_int_equal(upload_key_make_des(&r.keys, &key, text, NULL), 0);
	return text;
}

static struct upload_result result;
static struct err err;
static struct http_response response;
static json_t *json;

/* Decide and answer; `body` is printed with `key` for its %s.  Returns the code. */
static enum err_code post(
	const struct upload_rules *r, const char *type, const char *body, const char *key)
{
	struct http_request request = { .method = HTTP_POST, .content_type = span_str(type) };
	char text[2000];
	int outcome;

	snprintf(text, sizeof text, body, key);
	request.body = span_str(text);
	err = (struct err){ 0 };
	outcome = upload_decide(r, &request, now, &result, &err);
	assert_true((outcome == 0) == (err.code == ERR_NONE));
	http_response_fini(&response);
	http_response_init(&response, 10000);
	upload_answer(&result, outcome == 0 ? NULL : &err, &response);
	assert_true(buf_ok(&response.header) && buf_ok(&response.body));
	json_decref(json);
	json = json_loadb((const char *)response.body.data, response.body.len, 0, NULL);
	assert_non_null(json);
	assert_int_equal(response.status, err_http_status(err.code));
	return err.code;
}

static enum err_code post_form(const struct upload_rules *r, const char *body, const char *key)
{
	return post(r, "multipart/form-data; boundary=XX", body, key);
}

static const char *text_of(const char *member)
{
	return json_string_value(json_object_get(json, member));
}

static bool has_header(const char *line)
{
	return memmem(response.header.data, response.header.len, line, strlen(line)) != NULL;
}

TEST(a_good_upload_is_answered_as_clients_expect)
{
	static const char expected[] =
		"{\"result\":\"success\",\"albumid\":3,\"photoid\":0,\"file_name\":\"2m.jpg\","
		"\"hostid\":10001,\"lloc\":\"g01\\/M00\\/00\\/00\\/"
		"CgEBxVxhGVKAVKsFAAvFE0AZv0c668.jpg\",\"len\":10}";
	struct upload_rules r = rules();

	assert_int_equal(
		post_form(&r,
			FIELD("session_key", "%s") FIELD("type", "jpg") PICTURE("2m.jpg", JPEG) END,
			key_of(1024, 768, now)),
		ERR_NONE);
	assert_int_equal(response.body.len, strlen(expected));
	assert_memory_equal(response.body.data, expected, response.body.len);
	assert_string_equal(fake.ext, "jpg");
	assert_int_equal(fake.stored_len, 10);
	assert_true(has_header("Content-Type: application/json; charset=utf-8\r\n"));
	assert_true(has_header("Cache-Control: no-store\r\n"));
	assert_true(has_header("X-Content-Type-Options: nosniff\r\n"));
	assert_true(result.has_key);
	for (int step = 0; step < UPLOAD_STEPS; step++)
		assert_true(result.step_us[step] > 0);
}

TEST(json_and_tokens_do_as_well)
{
	struct upload_rules r = rules();
	struct upload_key key = { .uid = 4000000000, .albumid = 70000, .issued = now };
	char token[UPLOAD_KEY_JWT_MAX + 1];

	assert_int_equal(upload_key_make_jwt(&r.keys, &key, now + 60, token, NULL), 0);
	assert_int_equal(post(&r, "application/json",
				 "{\"session_key\":\"%s\",\"file\":\"/9j/4HBpeGVscw==\"}", token),
		ERR_NONE);
	assert_int_equal(json_integer_value(json_object_get(json, "hostid")), 4000000000);
	assert_int_equal(json_integer_value(json_object_get(json, "albumid")), 70000);
	assert_string_equal(text_of("file_name"), "");
	assert_int_equal(fake.stored_len, 10);
}

TEST(only_post_uploads)
{
	static const enum http_method others[] = { HTTP_GET, HTTP_HEAD, HTTP_OTHER };
	struct upload_rules r = rules();

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct http_request request = { .method = others[i] };

		assert_int_equal(upload_decide(&r, &request, now, &result, &err), -1);
		assert_int_equal(err.code, ERR_METHOD);
		http_response_fini(&response);
		http_response_init(&response, 10000);
		upload_answer(&result, &err, &response);
		assert_int_equal(response.status, 405);
		assert_true(has_header("Allow: POST\r\n"));
	}
}

/* Each refusal that a request alone can bring about; nothing is stored. */
TEST(every_refusal_has_its_code)
{
#define KEY  FIELD("session_key", "%s")
#define FULL PICTURE("a.jpg", JPEG)
	static const struct {
		const char *body;
		enum err_code code;
		int status;
	} refusals[] = {
		{ "no form", ERR_BAD_REQUEST, 400 },
		{ KEY FULL, ERR_BAD_REQUEST, 400 }, /* cut off */
		{ FULL END, ERR_NO_KEY, 401 },
		{ FIELD("session_key", "") FULL END, ERR_NO_KEY, 401 },
		{ FIELD("session_key", "0%s") FULL END, ERR_BAD_KEY, 403 },
		{ KEY END, ERR_NO_FILE, 400 },
		{ KEY PICTURE("", "") END, ERR_NO_FILE, 400 },
		{ KEY PICTURE("a.jpg", "") END, ERR_EMPTY_FILE, 400 },
		{ KEY PICTURE("a.jpg",
			  "\xff\xd8\xff\xe0"
			  "0123456789012345678901234567890123456789"
			  "01234567890123456789012345678901234567890123456789012345678") END,
			ERR_TOO_LARGE, 413 },
		{ KEY PICTURE("a.jpg", "<html>") END, ERR_NOT_A_PICTURE, 415 },
		{ KEY PICTURE("a.gif", "GIF89a") END, ERR_NOT_A_PICTURE, 415 }, /* not accepted */
		{ KEY FIELD("type", "png") FULL END, ERR_TYPE_MISMATCH, 415 },
		{ KEY FIELD("type", "exe") FULL END, ERR_TYPE_MISMATCH, 415 },
	};
#undef FULL
#undef KEY

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct upload_rules r = rules();
		const char *key = key_of(0, 0, now);

		if (post_form(&r, refusals[i].body, key) != refusals[i].code)
			fail_msg("%zu is %s: %s", i, err_word(err.code), err.text);
		assert_int_equal(response.status, refusals[i].status);
		assert_string_equal(text_of("result"), "fail");
		assert_string_equal(text_of("error"), err_word(refusals[i].code));
		assert_string_equal(text_of("message"), err.text);
		assert_int_equal(fake.checked + fake.stored, 0);
	}
}

static const char good[] = FIELD("session_key", "%s") PICTURE("2m.jpg", JPEG) END;

TEST(keys_have_their_time)
{
	struct upload_rules r = rules();

	assert_int_equal(post_form(&r, good, key_of(0, 0, now - 3600)), ERR_NONE);
	assert_int_equal(post_form(&r, good, key_of(0, 0, now - 3601)), ERR_KEY_EXPIRED);
	assert_int_equal(response.status, 403);
	assert_int_equal(post_form(&r, good, key_of(0, 0, now + 60)), ERR_NONE);
	assert_int_equal(post_form(&r, good, key_of(0, 0, now + 61)), ERR_KEY_NOT_YET);
	assert_int_equal(response.status, 403);
}

TEST(the_key_is_looked_at_before_the_picture)
{
	struct upload_rules r = rules();

	assert_int_equal(post_form(&r, FIELD("session_key", "%s") PICTURE("a", "<html>") END,
				 key_of(0, 0, now - 4000)),
		ERR_KEY_EXPIRED);
}

TEST(the_key_limits_width_and_height)
{
	struct upload_rules r = rules();

	assert_int_equal(post_form(&r, good, key_of(640, 480, now)), ERR_NONE);
	fake.stored = 0;
	r = rules();
	assert_int_equal(post_form(&r, good, key_of(639, 480, now)), ERR_TOO_WIDE);
	assert_int_equal(response.status, 422);
	assert_int_equal(post_form(&r, good, key_of(640, 479, now)), ERR_TOO_HIGH);
	assert_int_equal(response.status, 422);
	assert_int_equal(fake.stored, 0);
}

TEST(what_the_check_refuses_is_not_stored)
{
	static const struct {
		enum err_code code;
		int status;
	} refusals[] = {
		{ ERR_NOT_A_PICTURE, 415 },
		{ ERR_PIXEL_BOMB, 422 },
		{ ERR_TRUNCATED, 422 },
		{ ERR_BUSY, 503 },
	};

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const char *key = key_of(0, 0, now);
		struct upload_rules r = rules();

		fake.check = refusals[i].code;
		assert_int_equal(post_form(&r, good, key), refusals[i].code);
		assert_int_equal(response.status, refusals[i].status);
		assert_int_equal(fake.stored, 0);
	}
}

TEST(what_the_store_says_reaches_the_client_as_a_code_alone)
{
	static const struct {
		enum err_code said, code;
		int status;
		const char *header;
	} failures[] = {
		{ ERR_FULL, ERR_FULL, 507, "Retry-After: 60\r\n" },
		{ ERR_UNREACHABLE, ERR_UNREACHABLE, 503, "Retry-After: 5\r\n" },
		{ ERR_TIMEOUT, ERR_TIMEOUT, 503, "Retry-After: 5\r\n" },
		{ ERR_UNKNOWN, ERR_UNKNOWN, 503, "Retry-After: 5\r\n" },
		{ ERR_IO, ERR_IO, 500, "" },
		{ ERR_NOT_FOUND, ERR_UNREACHABLE, 503, "" }, /* no such group: ours to mend */
		{ ERR_BAD_REQUEST, ERR_UNREACHABLE, 503, "" },
	};

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		const char *key = key_of(0, 0, now);
		struct upload_rules r = rules();

		fake.store = failures[i].said;
		assert_int_equal(post_form(&r, good, key), failures[i].code);
		assert_int_equal(response.status, failures[i].status);
		assert_true(has_header(failures[i].header));
		assert_string_equal(text_of("message"), err_meaning(failures[i].code));
		assert_non_null(strstr(err.text, "10.0.0.1")); /* that is for the log */
	}
}

static struct upload_rules rules_with_record(void)
{
	struct upload_rules r = rules();

	r.note = fake_note;
	r.drop = fake_drop;
	r.settle = fake_settle;
	return r;
}

TEST(a_recorded_upload_tells_its_real_numbers)
{
	const char *key = key_of(0, 0, now);
	struct upload_rules r = rules_with_record();

	assert_int_equal(post_form(&r, good, key), ERR_NONE);
	assert_int_equal(json_integer_value(json_object_get(json, "albumid")), 4);
	assert_int_equal(json_integer_value(json_object_get(json, "photoid")), 12345678901);
	assert_int_equal(fake.settles, 1);
	assert_int_equal(fake.drops, 0);
}

TEST(nothing_is_stored_that_cannot_be_recorded)
{
	static const struct {
		enum err_code said, code;
	} failures[] = {
		{ ERR_SERVICE_DOWN, ERR_SERVICE_DOWN },
		{ ERR_UNKNOWN, ERR_UNKNOWN },
		{ ERR_FULL, ERR_FULL },
		{ ERR_BAD_REQUEST, ERR_SERVICE_DOWN },
	};

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		const char *key = key_of(0, 0, now);
		struct upload_rules r = rules_with_record();

		fake.note = failures[i].said;
		assert_int_equal(post_form(&r, good, key), failures[i].code);
		assert_int_equal(fake.stored + fake.drops + fake.settles, 0);
	}
}

TEST(a_picture_that_is_not_stored_loses_its_photo)
{
	const char *key = key_of(0, 0, now);
	struct upload_rules r = rules_with_record();

	fake.store = ERR_FULL;
	assert_int_equal(post_form(&r, good, key), ERR_FULL);
	assert_int_equal(fake.drops, 1);
	assert_int_equal(fake.dropped, ERR_FULL);
	assert_int_equal(fake.settles, 0);
}

TEST(an_upload_whose_photo_is_not_settled_has_failed)
{
	const char *key = key_of(0, 0, now);
	struct upload_rules r = rules_with_record();

	fake.settle = ERR_SERVICE_DOWN;
	assert_int_equal(post_form(&r, good, key), ERR_SERVICE_DOWN);
	assert_int_equal(response.status, 503);
	assert_null(text_of("lloc"));
}

TEST(a_name_that_tries_something_comes_back_harmless)
{
	struct upload_rules r = rules();

	assert_int_equal(post_form(&r,
				 FIELD("session_key", "%s")
					 PICTURE("..\\\\x/\xff\"}\x01.jpg\xe7\x85\xa7", JPEG) END,
				 key_of(0, 0, now)),
		ERR_BAD_REQUEST); /* a bare quote ends the name, and something follows */
	assert_int_equal(post_form(&r,
				 FIELD("session_key", "%s")
					 PICTURE("../x/\xff\\\"}\x01.jpg\xe7\x85\xa7", JPEG) END,
				 key_of(0, 0, now)),
		ERR_NONE);
	assert_string_equal(text_of("file_name"), "\xef\xbf\xbd\"}.jpg\xe7\x85\xa7");
}
