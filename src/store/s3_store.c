#include "store/s3_store.h"

#include "auth/sigv4.h"
#include "core/clock.h"
#include "core/crc32.h"
#include "store/retry.h"
#include "store/s3_client.h"
#include "store/s3_xml.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PREFIX_MAX = 512,
	PAGE_MAX = 4 << 20,
	PAGES_MAX = 10000000, /* 1000 objects each */
};

/* Does the service honour "If-None-Match: *"? */
enum exclusive { UNTRIED, HONOURED, NOT_HONOURED };

struct s3_store {
	struct object_store base;
	struct s3 *s3;
	char group[FILE_ID_GROUP_MAX + 1];
	char front[PREFIX_MAX + FILE_ID_GROUP_MAX + 3]; /* of every key: "prefix/group/" */
	int64_t timeout_ms;
	uint64_t capacity;
	_Atomic(enum exclusive) exclusive;
};

static const struct object_store_ops ops;

static bool prefix_ok(const char *prefix)
{
	size_t len = strlen(prefix);

	return len <= PREFIX_MAX && (len == 0 || (prefix[0] != '/' && prefix[len - 1] != '/')) &&
	       strspn(prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			      "0123456789-._/") == len;
}

struct object_store *s3_store_open(
	const struct engine_s3_conf *conf, const char *group, int64_t (*now)(void), struct err *err)
{
	const struct s3_conf s3_conf = {
		.endpoint = conf->endpoint,
		.region = conf->region,
		.bucket = conf->bucket,
		.bucket_in_host = conf->bucket_in_host,
		.access_key = conf->access_key,
		.secret_key = conf->secret_key,
		.ca_file = conf->ca_file,
		.connect_timeout_ms = conf->connect_timeout_ms,
		.in_flight = conf->in_flight,
		.now = now,
		.now_ms = clock_mono_ms,
	};
	struct s3_store *store;

	if (!prefix_ok(conf->prefix)) {
		err_set(err, ERR_CONFIG, "'%.100s' is no prefix of keys", conf->prefix);
		return NULL;
	}
	store = calloc(1, sizeof *store);
	if (store == NULL)
		abort();
	store->base.ops = &ops;
	store->s3 = s3_new(&s3_conf, err);
	if (store->s3 == NULL) {
		free(store);
		return NULL;
	}
	snprintf(store->group, sizeof store->group, "%s", group);
	snprintf(store->front, sizeof store->front, "%s%s%s/", conf->prefix,
		conf->prefix[0] == '\0' ? "" : "/", group);
	store->timeout_ms = conf->timeout_ms;
	store->capacity = conf->capacity;
	return &store->base;
}

static void close_store(struct object_store *base)
{
	struct s3_store *store = (struct s3_store *)base;

	s3_free(store->s3);
	free(store);
}

static void space(struct object_store *base, uint64_t *total, uint64_t *free)
{
	*total = *free = ((struct s3_store *)base)->capacity;
}

static int health(struct object_store *base, struct err *err)
{
	return s3_health(((struct s3_store *)base)->s3, err);
}

static int64_t deadline(const struct object_store *base, uint64_t len)
{
	return clock_mono_ms() + ((const struct s3_store *)base)->timeout_ms + (int64_t)(len >> 10);
}

/* After a failure: another try? */
static bool try_again(struct s3_store *store, struct retry *tries, struct err *err)
{
	return retry_again(tries, s3_health(store->s3, NULL) == 0, err);
}

static void key_of(const struct s3_store *store, const struct file_id *id, char out[S3_KEY_MAX + 1])
{
	snprintf(out, S3_KEY_MAX + 1, "%s%s", store->front, id->name);
}

/* ---- stat ---- */

static bool read_length(const struct web_response *response, uint64_t *out)
{
	struct span text = web_header(response, "Content-Length");
	uint64_t number = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		number = 10 * number + (uint64_t)(text.data[i] - '0');
	}
	*out = number;
	return true;
}

/* An answer to HEAD has no body that could tell a missing object from a missing bucket, or
 * what is wrong with a key. */
static int stat_once(struct s3_store *store, const struct file_id *id, int64_t end_ms,
	struct web_response *response, struct err *err)
{
	char key[S3_KEY_MAX + 1];
	struct s3_request head = { .method = "HEAD", .key = key, .deadline_ms = end_ms };
	struct s3_request get = {
		.method = "GET", .key = key, .range = "bytes=0-0", .deadline_ms = end_ms
	};
	uint64_t size;

	key_of(store, id, key);
	if (s3_ask(store->s3, &head, response, err) != 0) {
		if (response->status < 400 || response->status > 499)
			return -1;
		if (s3_ask(store->s3, &get, response, err) == 0)
			return err_set(err, ERR_UNREACHABLE, "%s came while it was asked for", key);
		return -1;
	}
	if (!read_length(response, &size))
		return err_set(
			err, ERR_UNREACHABLE, "the S3 service does not tell the size of %s", key);
	if (size != id->size)
		return err_set(err, ERR_CORRUPT,
			"object %s has %" PRIu64 " bytes, its id says %" PRIu64, key, size,
			id->size);
	return 0;
}

static int stat_object(
	struct s3_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	struct retry tries = retry_until(deadline_ms);
	struct web_response response;
	int result;

	web_response_init(&response);
	do
		result = stat_once(store, id, retry_try_end(&tries), &response, err);
	while (result != 0 && try_again(store, &tries, err));
	web_response_fini(&response);
	return result;
}

/* ---- get ---- */

static int get_once(struct s3_store *store, const struct file_id *id, const char *avoid,
	int64_t end_ms, struct web_response *response, struct err *err)
{
	char key[S3_KEY_MAX + 1];
	struct s3_request get = {
		.method = "GET",
		.key = key,
		.avoid = avoid,
		.max_body = (size_t)id->size,
		.deadline_ms = end_ms,
	};

	key_of(store, id, key);
	if (s3_ask(store->s3, &get, response, err) != 0)
		return -1;
	if (response->body.len != id->size)
		return err_set(err, ERR_CORRUPT, "object %s has %zu bytes, its id says %" PRIu64,
			key, response->body.len, id->size);
	if (crc32_add(0, buf_span(&response->body)) != id->crc)
		return err_set(
			err, ERR_CORRUPT, "the content of object %s does not match its id", key);
	return 0;
}

static int get_object(
	struct s3_store *store, const struct file_id *id, struct buf *out, struct err *err)
{
	struct retry tries = retry_until(deadline(&store->base, id->size));
	struct web_response response;
	char avoid[WEB_ADDRESS_MAX];
	bool corrupt = false, again;
	int result;

	if (id->size > out->limit - out->len)
		return stat_object(store, id, tries.deadline_ms, err) != 0
			       ? -1
			       : err_set(err, ERR_TOO_LARGE, "%s is larger than is wanted here",
					 id->name);
	web_response_init(&response);
	do {
		result = get_once(
			store, id, corrupt ? avoid : NULL, retry_try_end(&tries), &response, err);
		again = result != 0 &&
			((err->code == ERR_CORRUPT && !corrupt) || try_again(store, &tries, err));
		/* What changed them may be on the way, or one of several that answer there. */
		if (again && err->code == ERR_CORRUPT) {
			corrupt = true;
			memcpy(avoid, response.peer, sizeof avoid);
		}
	} while (again);
	if (result == 0) {
		buf_put_span(out, buf_span(&response.body));
		if (!buf_ok(out))
			result = err_set(err, ERR_INTERNAL, "memory has ended");
	}
	web_response_fini(&response);
	return result;
}

/* ---- put ---- */

static int send_object(struct s3_store *store, const struct file_id *id, struct span content,
	bool only_if_new, int64_t end_ms, struct err *err)
{
	char key[S3_KEY_MAX + 1];
	struct s3_request put = {
		.method = "PUT",
		.key = key,
		.body = content,
		.only_if_new = only_if_new,
		.deadline_ms = end_ms,
	};
	struct web_response response;
	int result;

	key_of(store, id, key);
	web_response_init(&response);
	result = s3_ask(store->s3, &put, &response, err);
	web_response_fini(&response);
	return result;
}

/* Something is there already: is it what an earlier try left?  That need not be one that
 * this file knows of: on a kept connection that turns out to be closed libcurl sends a
 * request anew by itself.  Another picture with these bytes would have to have got all the
 * random bits of the id in the same second. */
static int compare(
	struct s3_store *store, const struct file_id *id, struct span content, struct err *err)
{
	struct buf there;
	int result;

	buf_init(&there, content.len);
	result = get_object(store, id, &there, err);
	if (result == 0 && !span_equal(buf_span(&there), content))
		result = err_set(err, ERR_EXISTS, "there is another %s", id->name);
	else if (result != 0)
		err->code = ERR_UNKNOWN;
	buf_fini(&there);
	return result;
}

/* Is there nothing yet?  For services that do not look themselves. */
static int look_before(
	struct s3_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	if (stat_object(store, id, deadline_ms, err) == 0 || err->code == ERR_CORRUPT)
		return err_set(err, ERR_EXISTS, "there is a %s", id->name);
	return err->code == ERR_NOT_FOUND ? 0 : -1;
}

/* The same bytes once more, under the same id: who honours the condition refuses them. */
static void try_exclusive(
	struct s3_store *store, const struct file_id *id, struct span content, int64_t end_ms)
{
	struct err err = { 0 };

	if (send_object(store, id, content, true, end_ms, &err) == 0)
		store->exclusive = NOT_HONOURED;
	else if (err.code == ERR_EXISTS)
		store->exclusive = HONOURED;
}

static int put(struct object_store *base, const struct file_id *id, struct span content,
	int64_t deadline_ms, struct err *err)
{
	struct s3_store *store = (struct s3_store *)base;
	struct retry tries = retry_until(deadline_ms);

	if (store->exclusive != HONOURED && look_before(store, id, deadline_ms, err) != 0)
		return -1;
	for (;;) {
		bool only_if_new = store->exclusive != NOT_HONOURED;

		if (send_object(store, id, content, only_if_new, retry_try_end(&tries), err) == 0)
			break;
		if (err->code == ERR_UNSUPPORTED && only_if_new) {
			store->exclusive = NOT_HONOURED;
			continue;
		}
		if (err->code == ERR_EXISTS)
			return compare(store, id, content, err);
		if (!try_again(store, &tries, err))
			return -1;
	}
	if (store->exclusive == UNTRIED)
		try_exclusive(store, id, content, retry_try_end(&tries));
	return 0;
}

/* ---- remove ---- */

static int remove_object(
	struct s3_store *store, const struct file_id *id, int64_t end_ms, struct err *err)
{
	char key[S3_KEY_MAX + 1];
	struct s3_request delete = { .method = "DELETE", .key = key, .deadline_ms = end_ms };
	struct web_response response;
	int result;

	key_of(store, id, key);
	web_response_init(&response);
	result = s3_ask(store->s3, &delete, &response, err);
	web_response_fini(&response);
	if (result != 0 && err->code == ERR_NOT_FOUND)
		return 0;
	return result;
}

/* The service says "done" of an object that never was, so it is looked for before. */
static int remove_picture(
	struct object_store *base, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	struct s3_store *store = (struct s3_store *)base;
	struct retry tries = retry_until(deadline_ms);
	int result;

	if (stat_object(store, id, deadline_ms, err) != 0 && err->code != ERR_CORRUPT)
		return -1;
	do
		result = remove_object(store, id, retry_try_end(&tries), err);
	while (result != 0 && try_again(store, &tries, err));
	return result;
}

/* ---- walk ---- */

struct walk {
	struct s3_store *store;
	unsigned flags;
	bool (*found)(void *context, const struct engine_found *found);
	void *context;
};

static bool on_object(void *context, const struct s3_object *object)
{
	struct walk *walk = context;
	size_t front_len = strlen(walk->store->front);
	struct engine_found found = { .what = ENGINE_FOUND_PICTURE };
	struct buf content;

	if (strncmp(object->key, walk->store->front, front_len) != 0 ||
		!file_id_parse_name(span_str(walk->store->group), span_str(object->key + front_len),
			&found.id)) {
		found.what = ENGINE_FOUND_CORRUPT;
		err_set(&found.err, ERR_CORRUPT, "object %.200s has no id as its name",
			object->key);
	} else if (object->size != found.id.size) {
		found.what = ENGINE_FOUND_CORRUPT;
		err_set(&found.err, ERR_CORRUPT,
			"object %s has %" PRIu64 " bytes, its id says %" PRIu64, object->key,
			object->size, found.id.size);
	} else if (walk->flags & ENGINE_CHECK_CONTENT) {
		buf_init(&content, (size_t)found.id.size);
		if (get_object(walk->store, &found.id, &content, &found.err) != 0)
			found.what = ENGINE_FOUND_CORRUPT;
		buf_fini(&content);
		if (found.err.code == ERR_NOT_FOUND) /* it went meanwhile */
			return true;
	}
	return walk->found(walk->context, &found);
}

static int get_page(
	struct s3_store *store, const char *token, struct web_response *response, struct err *err)
{
	struct retry tries = retry_until(deadline(&store->base, 0));
	struct s3_request list = { .method = "GET", .max_body = PAGE_MAX };
	struct buf query;
	int result;

	buf_init(&query, 4000);
	if (token[0] != '\0') {
		buf_put_str(&query, "continuation-token=");
		sigv4_encode(&query, span_str(token), false);
		buf_put_u8(&query, '&');
	}
	buf_put_str(&query, "list-type=2&prefix=");
	sigv4_encode(&query, span_str(store->front), false);
	list.query = buf_span(&query);
	if (!buf_ok(&query)) {
		buf_fini(&query);
		return err_set(err, ERR_UNSUPPORTED, "a page of the list has too long a name");
	}
	do {
		list.deadline_ms = retry_try_end(&tries);
		result = s3_ask(store->s3, &list, response, err);
	} while (result != 0 && try_again(store, &tries, err));
	buf_fini(&query);
	return result;
}

static int walk_bucket(struct object_store *base, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	struct s3_store *store = (struct s3_store *)base;
	struct walk walk = { store, flags, found, context };
	struct s3_page page = { .found = on_object, .context = &walk };
	char token[S3_TOKEN_MAX + 1] = "";
	struct web_response response;
	int result = 0;

	web_response_init(&response);
	for (int i = 0; i < PAGES_MAX && result == 0; i++) {
		if (get_page(store, token, &response, err) != 0 ||
			s3_page_read(buf_span(&response.body), &page, err) != 0)
			result = -1;
		else if (page.stopped || !page.more)
			break;
		else if (strcmp(token, page.token) == 0)
			result = err_set(err, ERR_CORRUPT, "the list of objects goes in circles");
		else
			strcpy(token, page.token);
	}
	web_response_fini(&response);
	return result;
}

static int get(
	struct object_store *base, const struct file_id *id, struct buf *out, struct err *err)
{
	return get_object((struct s3_store *)base, id, out, err);
}

static int stat(
	struct object_store *base, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	return stat_object((struct s3_store *)base, id, deadline_ms, err);
}

static const struct object_store_ops ops = {
	.deadline = deadline,
	.put = put,
	.get = get,
	.stat = stat,
	.remove = remove_picture,
	.walk = walk_bucket,
	.space = space,
	.health = health,
	.close = close_store,
};
