#include "delivery/delivery.h"

#include "core/crc32.h"
#include "delivery/target.h"
#include "http/http_date.h"
#include "http/http_etag.h"
#include "http/http_range.h"
#include "image/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the 27 characters stand that hold time, size and CRC. */
enum { BASE_AT = 10, BASE_LEN = 27, ETAG_MAX = 40 };

/* What the answer says about the picture, whichever status it has. */
struct facts {
	uint64_t size;
	char etag[ETAG_MAX];
	bool fixed; /* the id can never mean other bytes */
	bool grows; /* its bytes may change at any time: nobody keeps them */
	int64_t modified;
	const char *mime;
};

static void fail(struct http_response *response, const struct err *err)
{
	http_failure(response, err->code, err_meaning(err->code));
	if (err->code == ERR_METHOD)
		http_header(response, "Allow", "GET, HEAD");
}

/* A store that finds an id malformed has no such picture: that it is an id has been
 * checked, and the caller cannot make it a better one. */
static void about_the_picture(struct err *err)
{
	if (err->code == ERR_BAD_REQUEST || err->code == ERR_BAD_ID)
		err->code = ERR_NOT_FOUND;
	else if (err->code == ERR_TOO_LARGE || err->code == ERR_NOT_ALLOWED)
		err->code = ERR_IO;
}

/* True if a source with this outcome has said all there is to say. */
static bool is_final(enum err_code code, enum delivery_holds holds)
{
	return code == ERR_GONE || code == ERR_CORRUPT ||
	       (code == ERR_NOT_FOUND && holds == DELIVERY_SURELY);
}

static int find(const struct delivery *delivery, const struct file_id *id, unsigned flags,
	struct delivery_picture *picture, struct err *err)
{
	bool asked = false;

	for (size_t i = 0; i < delivery->source_count; i++) {
		const struct delivery_source *source = &delivery->sources[i];
		enum delivery_holds holds = source->holds(source->context, id);

		if (holds == DELIVERY_NEVER)
			continue;
		asked = true;
		if (source->read(
			    source->context, id, flags, delivery->sendfile_from, picture, err) == 0)
			return 0;
		buf_clear(picture->content);
		if (err->code == ERR_WOULD_BLOCK && (flags & ENGINE_NO_WAIT))
			return -1;
		if (is_final(err->code, holds))
			break;
	}
	if (!asked)
		err_set(err, ERR_NOT_FOUND, "no source has the group and path of this id");
	about_the_picture(err);
	return -1;
}

static void find_facts(
	const struct file_id *id, const struct delivery_picture *picture, struct facts *facts)
{
	const struct engine_place *place = &picture->place;
	struct span content = buf_span(picture->content);

	facts->size = place->len > 0 ? place->len : content.len;
	facts->mime = picture_mime(
		picture_sniff(place->len > 0 ? span_of(place->start, place->start_len) : content));
	facts->fixed = id->kind == FILE_ID_NORMAL || id->kind == FILE_ID_TRUNK;
	facts->grows = id->kind == FILE_ID_APPENDER;
	facts->modified = id->time;
	if (facts->fixed)
		snprintf(facts->etag, sizeof facts->etag, "\"%.*s\"", BASE_LEN, id->name + BASE_AT);
	else
		snprintf(facts->etag, sizeof facts->etag, "\"%08" PRIx32 "-%" PRIx64 "\"",
			crc32_add(0, content), facts->size);
}

/* Headers that 200, 206 and 304 share. */
static void put_validators(
	struct http_response *response, const struct file_id *id, const struct facts *facts)
{
	char date[HTTP_DATE_LEN + 1];

	http_header(response, "ETag", "%s", facts->etag);
	if (facts->fixed) {
		http_date_format(facts->modified, date);
		http_header(response, "Last-Modified", "%s", date);
		http_header(response, "Cache-Control", "public, max-age=31536000, immutable");
	} else {
		http_header(response, "Cache-Control",
			facts->grows ? "no-cache" : "public, max-age=60");
	}
	http_header(response, "xkey", "%s/%s", id->group, id->name);
}

/* True if the client has what it asks for: If-Modified-Since counts only without
 * If-None-Match. */
static bool is_known(const struct http_request *request, const struct facts *facts)
{
	int64_t since;

	if (request->if_none_match.len > 0)
		return http_etag_listed(request->if_none_match, span_str(facts->etag));
	return facts->fixed && http_date_parse(request->if_modified_since, &since) &&
	       facts->modified <= since;
}

/* If-Range: the part only if it is of the same bytes as the rest that the client has. */
static bool range_counts(const struct http_request *request, const struct facts *facts)
{
	int64_t date;

	if (request->range.len == 0)
		return false;
	if (request->if_range.len == 0 || span_is(request->if_range, facts->etag))
		return true;
	return facts->fixed && http_date_parse(request->if_range, &date) && date == facts->modified;
}

static void drop_content(struct http_response *response)
{
	buf_clear(&response->body);
	response->file_path[0] = '\0';
	response->file_offset = response->file_len = 0;
}

static void cut_content(struct http_response *response, uint64_t first, uint64_t len)
{
	struct buf *body = &response->body;

	if (response->file_path[0] != '\0') {
		response->file_offset += first;
		response->file_len = len;
		return;
	}
	memmove(body->data, body->data + first, len);
	body->len = len;
}

static void answer_outside(struct http_response *response, const struct facts *facts)
{
	drop_content(response);
	http_failure(response, ERR_BAD_REQUEST, "the range is outside of the picture");
	response->status = 416;
	http_header(response, "Content-Range", "bytes */%" PRIu64, facts->size);
}

static void put_picture_headers(
	struct http_response *response, const struct target *target, const struct facts *facts)
{
	struct buf disposition;

	put_validators(response, &target->id, facts);
	http_header(response, "Content-Type", "%s", facts->mime);
	/* Whatever a browser makes of the bytes, it is to run nothing with our name on it. */
	http_header(response, "X-Content-Type-Options", "nosniff");
	http_header(response, "Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; sandbox");
	buf_init(&disposition, HTTP_HEADER_MAX / 2);
	if (target_disposition(target->name, &disposition))
		http_header(response, "Content-Disposition", "%.*s", (int)disposition.len,
			(const char *)disposition.data);
	buf_fini(&disposition);
}

static void answer_picture(const struct http_request *request, const struct target *target,
	const struct facts *facts, struct http_response *response)
{
	uint64_t first = 0, len = 0;
	enum http_range range = HTTP_RANGE_WHOLE;

	if (is_known(request, facts)) {
		drop_content(response);
		response->status = 304;
		response->omitted_len = facts->size;
		put_validators(response, &target->id, facts);
		return;
	}
	if (request->method == HTTP_GET && range_counts(request, facts))
		range = http_range_parse(request->range, facts->size, &first, &len);
	if (range == HTTP_RANGE_OUTSIDE) {
		answer_outside(response, facts);
		return;
	}
	response->status = 200;
	put_picture_headers(response, target, facts);
	if (range == HTTP_RANGE_PART) {
		response->status = 206;
		http_header(response, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			first, first + len - 1, facts->size);
		cut_content(response, first, len);
	} else if (request->range.len > 0) {
		/* Otherwise lighttpd would answer to the ranges that have been passed over. */
		http_header(response, "Accept-Ranges", "none");
	}
}

int delivery_answer(const struct delivery *delivery, const struct http_request *request,
	unsigned flags, struct http_response *response, struct err *err)
{
	struct delivery_picture picture = { .content = &response->body };
	struct target target;
	struct facts facts;

	if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
		err_set(err, ERR_METHOD, "neither GET nor HEAD");
	} else if (!target_parse(request->target, &target)) {
		err_set(err, ERR_BAD_ID, "that is not the id of a picture");
	} else if (find(delivery, &target.id, flags, &picture, err) == 0) {
		if (picture.place.len > 0) {
			memcpy(response->file_path, picture.place.path, sizeof response->file_path);
			response->file_offset = picture.place.offset;
			response->file_len = picture.place.len;
		}
		find_facts(&target.id, &picture, &facts);
		answer_picture(request, &target, &facts, response);
		return 0;
	} else if (err->code == ERR_WOULD_BLOCK && (flags & ENGINE_NO_WAIT)) {
		return -1;
	} else if (err->code == ERR_GONE) {
		/* Caches may keep this one for a while; it goes with the rest of the id. */
		http_header(response, "xkey", "%s/%s", target.id.group, target.id.name);
	}
	fail(response, err);
	return -1;
}
