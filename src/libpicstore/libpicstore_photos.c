#include "libpicstore/libpicstore_inside.h"
#include "wire/photo_body.h"

#include <string.h>

enum { BODY_MAX = 2048 };

_Static_assert((int)PICSTORE_TEXT_SIZE == PHOTO_TEXT_MAX + 1, "a text has one limit");
_Static_assert((int)PICSTORE_PAGE_MAX == PHOTO_LIMIT_MAX, "a page has one limit");
_Static_assert((int)PICSTORE_PHOTO_LOST == PHOTO_LOST, "a state has one number");
_Static_assert((int)PICSTORE_SETTLE_LOST == PHOTO_SETTLE_LOST, "so has what a settle does");

static int nonsense(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the reply about photos makes no sense");
}

/* ---- texts and photos, in and out ---- */

/* `text` may be NULL, and need not have a NUL within `size`. */
static int copy_text(const char *text, size_t size, char out[PHOTO_TEXT_MAX + 1], struct err *err)
{
	size_t len = text == NULL ? 0 : strnlen(text, size);

	if (len > PHOTO_TEXT_MAX || (len > 0 && !photo_text_ok(span_of(text, len))))
		return err_set(err, ERR_BAD_REQUEST, "a name or url is UTF-8 of at most %d bytes",
			PHOTO_TEXT_MAX);
	if (len > 0)
		memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

static int photo_in(const picstore_photo *given, struct photo *photo, struct err *err)
{
	if (given->state < 0 || given->state >= PHOTO_STATES || given->type < 0 ||
		given->type > UINT16_MAX)
		return err_set(err, ERR_BAD_REQUEST, "a photo's state or type does not fit");
	*photo = (struct photo){
		.photoid = given->photoid,
		.uid = given->uid,
		.albumid = given->albumid,
		.channel = given->channel,
		.is_head = given->is_head != 0,
		.state = (enum photo_state)given->state,
		.type = (uint16_t)given->type,
		.width = given->width,
		.height = given->height,
		.crc = given->crc,
		.length = given->length,
		.time = given->time,
	};
	memcpy(photo->ip, given->ip, sizeof photo->ip);
	if (copy_text(given->name, sizeof given->name, photo->name, err) != 0)
		return -1;
	return copy_text(given->url, sizeof given->url, photo->url, err);
}

static void photo_out(const struct photo *photo, picstore_photo *out)
{
	*out = (picstore_photo){
		.photoid = photo->photoid,
		.length = photo->length,
		.time = photo->time,
		.uid = photo->uid,
		.albumid = photo->albumid,
		.channel = photo->channel,
		.width = photo->width,
		.height = photo->height,
		.crc = photo->crc,
		.is_head = photo->is_head,
		.state = (int)photo->state,
		.type = photo->type,
	};
	memcpy(out->ip, photo->ip, sizeof out->ip);
	strcpy(out->name, photo->name);
	strcpy(out->url, photo->url);
}

/* ---- calls ---- */

/* Send `request` with `text`; `reply` may be NULL. */
static int ask(picstore *store, struct photo_request *request, const char *text, struct buf *reply,
	struct err *err)
{
	struct buf body;

	if (copy_text(text, SIZE_MAX, request->text, err) != 0)
		return -1;
	buf_init(&body, BODY_MAX);
	photo_request_encode(&body, store->order, request);
	return libpicstore_call(store, request->cmd, FRAME_REPEAT, &body, reply, err);
}

/* The same where the reply has no body. */
static int tell(
	picstore *store, struct photo_request *request, const char *text, picstore_error *error)
{
	struct err err = { 0 };

	if (ask(store, request, text, NULL, &err) != 0)
		return libpicstore_fail(&err, error);
	return libpicstore_succeed(error);
}

int picstore_photo_put(picstore *store, picstore_photo *photo, picstore_error *error)
{
	struct err err = { 0 };
	struct photo put;
	struct buf body, reply;
	struct cursor in;
	uint32_t albumid;
	uint64_t photoid;
	int result;

	if (photo_in(photo, &put, &err) != 0)
		return libpicstore_fail(&err, error);
	buf_init(&body, BODY_MAX);
	buf_init(&reply, store->max_reply);
	photo_encode(&body, store->order, &put);
	result = libpicstore_call(store, CMD_PHOTO_PUT, FRAME_ONCE, &body, &reply, &err);
	in = cursor_of(buf_span(&reply));
	albumid = package_get_u32(&in, store->order);
	photoid = package_get_u64(&in, store->order);
	if (result == 0 && !cursor_end(&in))
		result = nonsense(&err);
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	photo->albumid = albumid;
	photo->photoid = photoid;
	return libpicstore_succeed(error);
}

static int get(picstore *store, struct photo_request *request, const char *url,
	picstore_photo *photo, picstore_error *error)
{
	struct err err = { 0 };
	struct photo got;
	struct buf reply;
	int result;

	buf_init(&reply, store->max_reply);
	result = ask(store, request, url, &reply, &err);
	if (result == 0 && !photo_decode(buf_span(&reply), store->order, &got))
		result = nonsense(&err);
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	photo_out(&got, photo);
	return libpicstore_succeed(error);
}

int picstore_photo_get(
	picstore *store, uint64_t photoid, picstore_photo *photo, picstore_error *error)
{
	struct photo_request request = { .cmd = CMD_PHOTO_GET, .photoid = photoid };

	return get(store, &request, NULL, photo, error);
}

int picstore_photo_get_url(
	picstore *store, const char *url, picstore_photo *photo, picstore_error *error)
{
	struct photo_request request = { .cmd = CMD_PHOTO_GET_URL };

	return get(store, &request, url, photo, error);
}

int picstore_photo_rename(
	picstore *store, uint64_t photoid, const char *name, picstore_error *error)
{
	struct photo_request request = { .cmd = CMD_PHOTO_RENAME, .photoid = photoid };

	return tell(store, &request, name, error);
}

int picstore_photo_delete(picstore *store, uint64_t photoid, const char *url, picstore_error *error)
{
	struct photo_request request = { .cmd = CMD_PHOTO_DELETE, .photoid = photoid };

	return tell(store, &request, url, error);
}

int picstore_photo_settle(picstore *store, uint64_t photoid, picstore_settle what, const char *url,
	picstore_error *error)
{
	struct photo_request request = {
		.cmd = CMD_PHOTO_SETTLE, .photoid = photoid, .what = (uint16_t)what
	};

	return tell(store, &request, url, error);
}

int picstore_photo_move(picstore *store, uint64_t photoid, uint32_t *albumid, picstore_error *error)
{
	struct photo_request request = {
		.cmd = CMD_PHOTO_MOVE, .photoid = photoid, .albumid = *albumid
	};
	struct err err = { 0 };
	struct cursor in;
	struct buf reply;
	uint32_t moved;
	int result;

	buf_init(&reply, store->max_reply);
	result = ask(store, &request, NULL, &reply, &err);
	in = cursor_of(buf_span(&reply));
	moved = package_get_u32(&in, store->order);
	if (result == 0 && !cursor_end(&in))
		result = nonsense(&err);
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	*albumid = moved;
	return libpicstore_succeed(error);
}

/* ---- queries ---- */

static struct photo_request request_of(uint16_t cmd, const picstore_query *query, size_t max)
{
	return (struct photo_request){
		.cmd = cmd,
		.photoid = query->after,
		.uid = query->uid,
		.albumid = query->albumid,
		.limit = (uint16_t)(max < PHOTO_LIMIT_MAX ? max : PHOTO_LIMIT_MAX),
		.flags = query->newest_first ? PHOTO_NEWEST_FIRST : 0,
		/* what has no meaning is for the service to refuse */
		.states = (uint16_t)(query->states > UINT16_MAX ? UINT16_MAX : query->states),
	};
}

int picstore_photo_count(picstore *store, const picstore_query *query, uint64_t *photos,
	uint64_t *bytes, picstore_error *error)
{
	struct photo_request request = request_of(CMD_PHOTO_COUNT, query, 0);
	struct err err = { 0 };
	struct cursor in;
	struct buf reply;
	uint64_t counted, sum;
	int result;

	buf_init(&reply, store->max_reply);
	result = ask(store, &request, NULL, &reply, &err);
	in = cursor_of(buf_span(&reply));
	counted = package_get_u64(&in, store->order);
	sum = package_get_u64(&in, store->order);
	if (result == 0 && !cursor_end(&in))
		result = nonsense(&err);
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	if (photos != NULL)
		*photos = counted;
	if (bytes != NULL)
		*bytes = sum;
	return libpicstore_succeed(error);
}

/* Ask for a page and take the `*count` things in it, each by `take`, which returns false
 * when it makes no sense. */
static int page(picstore *store, struct photo_request *request, const char *text, void *out,
	bool (*take)(struct cursor *in, enum byte_order order, void *out, size_t at), size_t *count,
	int *more, picstore_error *error)
{
	struct err err = { 0 };
	struct cursor in;
	struct buf reply;
	bool again;
	size_t told, at = 0;
	int result;

	*count = 0;
	*more = 0;
	if (request->limit == 0) {
		err_set(&err, ERR_BAD_REQUEST, "a page has room for at least one");
		return libpicstore_fail(&err, error);
	}
	buf_init(&reply, store->max_reply);
	result = ask(store, request, text, &reply, &err);
	in = cursor_of(buf_span(&reply));
	again = package_get_u16(&in, store->order) != 0;
	told = package_get_u16(&in, store->order);
	while (result == 0 && at < told && at < request->limit && take(&in, store->order, out, at))
		at++;
	if (result == 0 && (at != told || !cursor_end(&in)))
		result = nonsense(&err);
	buf_fini(&reply);
	if (result != 0)
		return libpicstore_fail(&err, error);
	*count = at;
	*more = again;
	return libpicstore_succeed(error);
}

static bool take_photo(struct cursor *in, enum byte_order order, void *out, size_t at)
{
	struct photo photo;

	if (!photo_take(in, order, &photo))
		return false;
	photo_out(&photo, (picstore_photo *)out + at);
	return true;
}

int picstore_photo_list(picstore *store, picstore_list list, picstore_query *query,
	picstore_photo *photos, size_t max, size_t *count, int *more, picstore_error *error)
{
	static const uint16_t cmds[] = { CMD_PHOTO_LIST_ALBUM, CMD_PHOTO_LIST_USER,
		CMD_PHOTO_SEARCH, CMD_PHOTO_LIST_ALL };
	struct photo_request request = request_of(
		cmds[(unsigned)list < 4 ? (unsigned)list : 3], query, max);
	int result = page(store, &request, query->text, photos, take_photo, count, more, error);

	if (result == PICSTORE_OK && *count > 0)
		query->after = photos[*count - 1].photoid;
	return result;
}

static bool take_album(struct cursor *in, enum byte_order order, void *out, size_t at)
{
	picstore_album *to = (picstore_album *)out + at;
	struct photo_album album;

	if (!photo_album_take(in, order, &album))
		return false;
	*to = (picstore_album){
		.made = album.made, .photos = album.photos, .albumid = album.albumid
	};
	strcpy(to->name, album.name);
	return true;
}

int picstore_albums(picstore *store, picstore_query *query, picstore_album *albums, size_t max,
	size_t *count, int *more, picstore_error *error)
{
	struct photo_request request = request_of(CMD_PHOTO_ALBUMS, query, max);
	int result = page(store, &request, NULL, albums, take_album, count, more, error);

	if (result == PICSTORE_OK && *count > 0)
		query->after = albums[*count - 1].albumid;
	return result;
}
