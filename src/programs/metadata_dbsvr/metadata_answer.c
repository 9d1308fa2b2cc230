#include "programs/metadata_dbsvr/metadata_answer.h"

#include "core/file_id.h"

enum { HEAD_LEN = 4 }; /* of a PAGE: more and count */

bool metadata_changes(uint16_t cmd)
{
	switch (cmd) {
	case CMD_PHOTO_PUT:
	case CMD_PHOTO_RENAME:
	case CMD_PHOTO_MOVE:
	case CMD_PHOTO_DELETE:
	case CMD_PHOTO_SETTLE:
		return true;
	default:
		return false;
	}
}

static int check_url(const char *url, struct err *err)
{
	struct file_id id;

	if (!file_id_parse(span_str(url), &id))
		return err_set(err, ERR_BAD_ID, "the url is not the id of a picture");
	return 0;
}

static int put(struct photo_store *store, const struct frame_request *request, int64_t now,
	struct buf *reply, struct err *err)
{
	struct photo photo;

	if (!photo_decode(request->body, request->order, &photo))
		return err_set(err, ERR_BAD_REQUEST, "the body is not that of a photo");
	if (photo.photoid != 0)
		return err_set(err, ERR_BAD_REQUEST, "a photo to put has no number yet");
	if (photo.state == PHOTO_PENDING) {
		if (photo.url[0] != '\0')
			return err_set(err, ERR_BAD_REQUEST, "a pending photo has no url yet");
		photo.time = (uint64_t)now; /* by which it is settled */
	} else if (photo.state != PHOTO_STORED) {
		return err_set(err, ERR_BAD_REQUEST, "a photo is put as pending or stored");
	} else if (check_url(photo.url, err) != 0) {
		return -1;
	}
	if (photo_store_put(store, &photo, now, err) != 0)
		return -1;
	package_put_u32(reply, request->order, photo.albumid);
	package_put_u64(reply, request->order, photo.photoid);
	return 0;
}

/* ---- lists ---- */

struct page {
	struct buf *reply;
	enum byte_order order;
	size_t head; /* where the PAGE begins */
	uint16_t limit, count, more;
};

static void page_begin(struct page *page, struct buf *reply, enum byte_order order, uint16_t limit)
{
	*page = (struct page){ .reply = reply, .order = order, .head = reply->len };
	page->limit = limit == 0 ? 100 : limit;
	package_put_u16(reply, order, 0);
	package_put_u16(reply, order, 0);
}

/* A page ends at its limit, or where the reply is full. */
static bool page_has_room(struct page *page)
{
	page->more = page->count == page->limit ||
		     page->reply->len + PHOTO_ENCODED_MAX > page->reply->limit;
	return page->more == 0;
}

static void page_end(struct page *page)
{
	struct buf head;

	if (!buf_ok(page->reply))
		return;
	buf_init(&head, HEAD_LEN);
	package_put_u16(&head, page->order, page->more);
	package_put_u16(&head, page->order, page->count);
	for (size_t i = 0; i < HEAD_LEN; i++)
		page->reply->data[page->head + i] = head.data[i];
	buf_fini(&head);
}

static bool add_photo(void *context, const struct photo *photo)
{
	struct page *page = context;

	if (!page_has_room(page))
		return false;
	photo_encode(page->reply, page->order, photo);
	page->count++;
	return true;
}

static bool add_album(void *context, const struct photo_album *album)
{
	struct page *page = context;

	if (!page_has_room(page))
		return false;
	photo_album_encode(page->reply, page->order, album);
	page->count++;
	return true;
}

static int list(struct photo_store *store, const struct photo_request *ask, enum byte_order order,
	struct buf *reply, struct err *err)
{
	struct page page;
	int result;

	page_begin(&page, reply, order, ask->limit);
	if (ask->cmd == CMD_PHOTO_ALBUMS)
		result = photo_store_albums(store, ask, add_album, &page, err);
	else
		result = photo_store_list(store, ask, add_photo, &page, err);
	page_end(&page);
	return result;
}

/* ---- the rest ---- */

static int get(struct photo_store *store, const struct photo_request *ask, enum byte_order order,
	struct buf *reply, struct err *err)
{
	struct photo photo;
	int result = ask->cmd == CMD_PHOTO_GET ? photo_store_get(store, ask->photoid, &photo, err)
					       : photo_store_get_url(store, ask->text, &photo, err);

	if (result == 0)
		photo_encode(reply, order, &photo);
	return result;
}

static int count(struct photo_store *store, const struct photo_request *ask, enum byte_order order,
	struct buf *reply, struct err *err)
{
	uint64_t photos, bytes;

	if (photo_store_count(store, ask, &photos, &bytes, err) != 0)
		return -1;
	package_put_u64(reply, order, photos);
	package_put_u64(reply, order, bytes);
	return 0;
}

static int move(struct photo_store *store, const struct photo_request *ask, uint32_t user,
	enum byte_order order, int64_t now, struct buf *reply, struct err *err)
{
	uint32_t albumid = ask->albumid;

	if (photo_store_move(store, ask->photoid, user, &albumid, now, err) != 0)
		return -1;
	package_put_u32(reply, order, albumid);
	return 0;
}

static int settle(struct photo_store *store, const struct photo_request *ask, struct err *err)
{
	if (ask->what == PHOTO_SETTLE_STORED && check_url(ask->text, err) != 0)
		return -1;
	return photo_store_settle(
		store, ask->photoid, (enum photo_settle)ask->what, ask->text, err);
}

int metadata_answer(struct photo_store *store, const struct frame_request *request, int64_t now,
	struct buf *reply, struct err *err)
{
	uint16_t cmd = request->package.cmd;
	uint32_t user = request->package.id;
	struct photo_request ask;

	if (cmd == CMD_PHOTO_PUT)
		return put(store, request, now, reply, err);
	if (!photo_request_decode(cmd, request->body, request->order, &ask))
		return err_set(err, ERR_BAD_REQUEST, "the body does not fit the command");
	switch (cmd) {
	case CMD_PHOTO_GET:
	case CMD_PHOTO_GET_URL:
		return get(store, &ask, request->order, reply, err);
	case CMD_PHOTO_RENAME:
		return photo_store_rename(store, ask.photoid, user, ask.text, err);
	case CMD_PHOTO_MOVE:
		return move(store, &ask, user, request->order, now, reply, err);
	case CMD_PHOTO_DELETE:
		return photo_store_delete(store, ask.photoid, ask.text, user, err);
	case CMD_PHOTO_COUNT:
		return count(store, &ask, request->order, reply, err);
	case CMD_PHOTO_SETTLE:
		return settle(store, &ask, err);
	default:
		return list(store, &ask, request->order, reply, err);
	}
}
