#include "picstore.h"

#include "fake_server.h"
#include "unit.h"
#include "wire/package.h"
#include "wire/photo_body.h"
#include "wire/ret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char id[] = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg";

static size_t whole(const uint8_t *bytes, size_t len)
{
	if (len < PACKAGE_HEADER_LEN || len < load_le32(bytes))
		return 0;
	return load_le32(bytes);
}

static struct fake_answer answer(uint16_t cmd, uint32_t seq, enum ret ret, const struct buf *body)
{
	struct package package = { .cmd = cmd, .seq = seq, .ret = ret };
	struct buf out;
	size_t at;

	buf_init(&out, 1000);
	at = package_begin(&out, &package, ORDER_LITTLE);
	if (body != NULL)
		buf_put_span(&out, buf_span(body));
	package_end(&out, at, ORDER_LITTLE);
	return (struct fake_answer){ .data = out.data, .len = out.len };
}

static void free_answers(struct fake_answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)answers[i].data);
}

TEST(cuts)
{
	struct package_item item = { .hostid = 7, .url.text = "g02/M00/00/01/new.jpg" };
	picstore_cut_request cut = { 3, id, 100, 50, -10, 20, 200, 100 };
	picstore_options options = { .size = sizeof options, .user = 10001 };
	struct buf body;
	struct fake_answer answers[3];
	struct fake_server *server;
	struct package_cut sent;
	struct package package;
	picstore_error error;
	picstore *store;
	char url[PICSTORE_URL_SIZE];
	uint8_t last[4096];

	buf_init(&body, 1000);
	package_item_encode(&body, ORDER_LITTLE, &item);
	answers[0] = answer(CMD_CUT, 1, RET_OK, &body);
	answers[1] = answer(CMD_CUT, 2, RET_NOT_FOUND, NULL);
	answers[2] = answer(CMD_CUT, 3, RET_OK, NULL); /* without a body */
	server = fake_server_start(whole, answers, 3);
	store = picstore_open(fake_server_address(server), &options, &error);
	assert_non_null(store);
	assert_int_equal(picstore_cut(store, &cut, url, &error), PICSTORE_OK);
	assert_string_equal(url, "g02/M00/00/01/new.jpg");
	assert_int_equal(fake_server_last(server, last), PACKAGE_HEADER_LEN + 92);
	assert_true(package_header_decode(last, ORDER_LITTLE, &package));
	assert_int_equal(package.id, 10001);
	assert_true(
		package_cut_decode(span_of(last + PACKAGE_HEADER_LEN, 92), ORDER_LITTLE, &sent));
	assert_int_equal(sent.hostid, 3);
	assert_string_equal(sent.url.text, id);
	assert_int_equal(sent.start_x, -10);
	assert_int_equal(sent.thumb_h, 100);
	assert_int_equal(picstore_cut(store, &cut, url, &error), PICSTORE_NOT_FOUND);
	assert_int_equal(error.code, PICSTORE_NOT_FOUND);
	assert_string_not_equal(error.text, "");
	assert_int_equal(picstore_cut(store, &cut, url, NULL), PICSTORE_CORRUPT);
	picstore_close(store);
	fake_server_stop(server);
	free_answers(answers, 3);
	buf_fini(&body);
}

TEST(deletes_many_pictures_with_one_call)
{
	struct fake_answer answers[] = { answer(CMD_DELETE_LATER, 1, RET_OK, NULL),
		answer(CMD_DELETE_NOW, 2, RET_OK, NULL) };
	struct fake_server *server = fake_server_start(whole, answers, 2);
	picstore *store = picstore_open(fake_server_address(server), NULL, NULL);
	picstore_picture pictures[] = { { 1, id }, { 2, "g01/x" } };
	struct package_item item;
	uint8_t last[4096];
	struct span body = { last + PACKAGE_HEADER_LEN, 4 + 2 * 68 };
	uint32_t count;

	assert_int_equal(picstore_delete_later(store, pictures, 2, NULL), PICSTORE_OK);
	assert_int_equal(fake_server_last(server, last), PACKAGE_HEADER_LEN + body.len);
	assert_true(package_delete_decode(body, ORDER_LITTLE, &count));
	assert_int_equal(count, 2);
	package_delete_at(body, ORDER_LITTLE, 1, &item);
	assert_int_equal(item.hostid, 2);
	assert_string_equal(item.url.text, "g01/x");
	assert_int_equal(picstore_delete_now(store, pictures, 1, NULL), PICSTORE_OK);
	picstore_close(store);
	fake_server_stop(server);
	free_answers(answers, 2);
}

TEST(asks_about_sessions)
{
	struct buf body;
	struct fake_answer answers[3];
	struct fake_server *server;
	picstore *store;
	uint32_t used, left;
	uint8_t last[4096];

	buf_init(&body, 1000);
	package_session_reply_encode(&body, ORDER_LITTLE, 12, 18);
	answers[0] = answer(CMD_SESSION, 1, RET_OK, &body);
	answers[1] = answer(CMD_SESSION, 2, RET_OK, &body);
	answers[2] = answer(CMD_SESSION, 3, RET_KEY_EXPIRED, NULL);
	server = fake_server_start(whole, answers, 3);
	store = picstore_open(fake_server_address(server), NULL, NULL);
	assert_int_equal(picstore_session_use(store, "key", &used, &left, NULL), PICSTORE_OK);
	assert_int_equal(used, 12);
	assert_int_equal(left, 18);
	assert_int_equal(fake_server_last(server, last), PACKAGE_HEADER_LEN + 7);
	assert_memory_equal(last + PACKAGE_HEADER_LEN, "\0\0\3\0key", 7);
	assert_int_equal(picstore_session_look(store, "key", NULL, NULL, NULL), PICSTORE_OK);
	fake_server_last(server, last);
	assert_memory_equal(last + PACKAGE_HEADER_LEN, "\1\0\3\0key", 7);
	assert_int_equal(
		picstore_session_use(store, "key", &used, &left, NULL), PICSTORE_KEY_EXPIRED);
	picstore_close(store);
	fake_server_stop(server);
	free_answers(answers, 3);
	buf_fini(&body);
}

TEST(lists_photos_by_pages)
{
	struct photo first = { .photoid = 41, .uid = 7, .name = "a", .url = "u", .is_head = true };
	struct photo second = { .photoid = 42, .length = UINT64_C(1) << 40, .ip = { 10, 1, 1, 9 } };
	picstore_query query = { .uid = 7, .after = 40, .newest_first = 1, .states = 3 };
	picstore_photo photos[2];
	struct fake_answer answers[3];
	struct fake_server *server;
	struct photo_request sent;
	struct buf body;
	picstore *store;
	uint8_t last[4096];
	size_t count, len;
	int more;

	buf_init(&body, 2000);
	package_put_u16(&body, ORDER_LITTLE, 1);
	package_put_u16(&body, ORDER_LITTLE, 2);
	photo_encode(&body, ORDER_LITTLE, &first);
	photo_encode(&body, ORDER_LITTLE, &second);
	answers[0] = answer(CMD_PHOTO_SEARCH, 1, RET_OK, &body);
	answers[1] = answer(CMD_PHOTO_LIST_ALL, 2, RET_OK, &body); /* more than there is room for */
	body.len--;
	answers[2] = answer(CMD_PHOTO_LIST_USER, 3, RET_OK, &body); /* half a photo */
	server = fake_server_start(whole, answers, 3);
	store = picstore_open(fake_server_address(server), NULL, NULL);
	query.text = "gr\303\266";
	assert_int_equal(picstore_photo_list(store, PICSTORE_LIST_SEARCH, &query, photos, 2, &count,
				 &more, NULL),
		PICSTORE_OK);
	assert_int_equal(count, 2);
	assert_true(more);
	assert_int_equal(query.after, 42);
	assert_int_equal(photos[0].photoid, 41);
	assert_true(photos[0].is_head);
	assert_string_equal(photos[0].url, "u");
	assert_true(photos[1].length == UINT64_C(1) << 40);
	assert_memory_equal(photos[1].ip, "\12\1\1\11", 4);
	len = fake_server_last(server, last);
	assert_true(photo_request_decode(CMD_PHOTO_SEARCH,
		span_of(last + PACKAGE_HEADER_LEN, len - PACKAGE_HEADER_LEN), ORDER_LITTLE, &sent));
	assert_int_equal(sent.photoid, 40);
	assert_int_equal(sent.limit, 2);
	assert_int_equal(sent.flags, PHOTO_NEWEST_FIRST);
	assert_int_equal(sent.states, 3);
	assert_string_equal(sent.text, query.text);
	assert_int_equal(picstore_photo_list(
				 store, PICSTORE_LIST_ALL, &query, photos, 1, &count, &more, NULL),
		PICSTORE_CORRUPT);
	assert_int_equal(count, 0);
	assert_int_equal(picstore_photo_list(
				 store, PICSTORE_LIST_USER, &query, photos, 2, &count, &more, NULL),
		PICSTORE_CORRUPT);
	assert_int_equal(query.after, 42);
	picstore_close(store);
	fake_server_stop(server);
	free_answers(answers, 3);
	buf_fini(&body);
}

TEST(sends_no_text_that_is_none)
{
	picstore *store = picstore_open("127.0.0.1:1", NULL, NULL);
	picstore_photo photo = { .state = PICSTORE_PHOTO_STORED };
	picstore_query query = { .text = "\377" };
	picstore_error error;
	char longer[300];
	size_t count;
	int more;

	memset(longer, 'n', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(picstore_photo_rename(store, 1, longer, &error), PICSTORE_BAD_REQUEST);
	assert_int_equal(
		picstore_photo_get_url(store, longer, &photo, &error), PICSTORE_BAD_REQUEST);
	memset(photo.name, 'n', sizeof photo.name); /* without a NUL */
	assert_int_equal(picstore_photo_put(store, &photo, &error), PICSTORE_BAD_REQUEST);
	photo = (picstore_photo){ .state = 4 };
	assert_int_equal(picstore_photo_put(store, &photo, &error), PICSTORE_BAD_REQUEST);
	assert_int_equal(picstore_photo_list(store, PICSTORE_LIST_SEARCH, &query, &photo, 1, &count,
				 &more, &error),
		PICSTORE_BAD_REQUEST);
	assert_int_equal(picstore_photo_list(store, PICSTORE_LIST_ALL, &query, &photo, 0, &count,
				 &more, &error),
		PICSTORE_BAD_REQUEST);
	picstore_close(store);
}

TEST(speaks_big_endian_when_told_so)
{
	static const uint8_t pong[] = { 0, 0, 0, 18, 0x10, 0xb0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		0 };
	struct fake_answer big = { .data = pong, .len = sizeof pong };
	struct fake_server *server;
	picstore_options options = { .size = sizeof options, .big_endian = 1 };
	picstore *store;

	big.early = true; /* the fake server reads lengths the other way round */
	server = fake_server_start(whole, &big, 1);
	store = picstore_open(fake_server_address(server), &options, NULL);
	assert_int_equal(picstore_ping(store, NULL), PICSTORE_OK);
	picstore_close(store);
	fake_server_stop(server);
}

TEST(refuses_what_it_cannot_send)
{
	picstore *store = picstore_open("127.0.0.1:1", NULL, NULL);
	picstore_cut_request cut = { .url = NULL };
	picstore_picture none = { 0, "" };
	char url[PICSTORE_URL_SIZE], key[2000];
	picstore_error error;

	assert_int_equal(picstore_cut(store, &cut, url, &error), PICSTORE_BAD_ID);
	cut.url = "an-id-that-is-longer-than-any-and-would-be-cut-off-in-a-field-of-64";
	assert_int_equal(picstore_cut(store, &cut, url, &error), PICSTORE_BAD_ID);
	assert_int_equal(picstore_delete_now(store, &none, 1, &error), PICSTORE_BAD_ID);
	assert_int_equal(picstore_delete_now(store, &none, 10001, &error), PICSTORE_TOO_LARGE);
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	assert_int_equal(picstore_session_use(store, key, NULL, NULL, &error), PICSTORE_BAD_KEY);
	picstore_close(store);
	assert_null(picstore_open("nowhere", NULL, &error));
	assert_int_equal(error.code, PICSTORE_BAD_REQUEST);
}

TEST(says_that_nobody_answers)
{
	picstore_error error;
	picstore *store;
	char address[32];

	snprintf(address, sizeof address, "127.0.0.1:%u", fake_server_dead_port());
	store = picstore_open(address, NULL, NULL);
	assert_int_equal(picstore_ping(store, &error), PICSTORE_SERVICE_DOWN);
	assert_non_null(strstr(error.text, address));
	picstore_close(store);
}

TEST(has_a_word_for_every_code)
{
	assert_string_equal(picstore_word(PICSTORE_OK), "ok");
	assert_string_equal(picstore_word(PICSTORE_KEY_EXPIRED), "key_expired");
	assert_string_equal(picstore_word(4711), "internal");
	assert_string_equal(picstore_word(-1), "internal");
	assert_string_not_equal(picstore_version(), "");
}
