#include "core/address.h"
#include "core/buf.h"
#include "programs/sess_check_svr/sess_store.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_MAX_LEN = 64 + 24,
	PASSWORD_MAX = 512,
};

/* Counts are Redis keys, "picstore:session:" and the digest in hex, which Redis forgets
 * when the session key ends.  They go on counting above the limit. */
struct redis_store {
	const struct settings *settings;
	struct address address;
	char password[PASSWORD_MAX + 1]; /* empty: none */
	redisContext *redis;             /* NULL: not connected */
};

static void drop(struct redis_store *store)
{
	if (store->redis != NULL)
		redisFree(store->redis);
	store->redis = NULL;
}

static int fail(struct redis_store *store, enum err_code code, const char *why, struct err *err)
{
	err_set(err, code, "redis %s: %s", store->settings->sess_check_redis, why);
	drop(store);
	return -1;
}

static int lost(struct redis_store *store, struct err *err)
{
	const redisContext *redis = store->redis;

	return fail(store, ERR_SERVICE_DOWN,
		redis == NULL              ? "out of memory"
		: redis->errstr[0] != '\0' ? redis->errstr
					   : "the connection broke",
		err);
}

static struct timeval time_of(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

/* A reply that is an error means that Redis refuses us, or that it is no Redis. */
static int take_status(struct redis_store *store, void *reply, struct err *err)
{
	redisReply *status = reply;
	int result = 0;

	if (status == NULL)
		return lost(store, err);
	if (status->type == REDIS_REPLY_ERROR)
		result = fail(store, ERR_SERVICE_DOWN, status->str, err);
	freeReplyObject(status);
	return result;
}

static int connect_redis(struct redis_store *store, struct err *err)
{
	const struct settings *settings = store->settings;
	const struct address *address = &store->address;
	struct timeval wait = time_of(settings->sess_check_redis_timeout);

	store->redis = address->is_unix
			       ? redisConnectUnixWithTimeout(address->host, wait)
			       : redisConnectWithTimeout(address->host, address->port, wait);
	if (store->redis == NULL || store->redis->err != 0)
		return lost(store, err);
	if (redisSetTimeout(store->redis, wait) != REDIS_OK)
		return lost(store, err);
	if (!address->is_unix && redisEnableKeepAlive(store->redis) != REDIS_OK)
		return lost(store, err);
	if (store->password[0] != '\0' &&
		take_status(store, redisCommand(store->redis, "AUTH %s", store->password), err) !=
			0)
		return -1;
	/* A Redis that has just started takes connections before it has read its data. */
	return take_status(store, redisCommand(store->redis, "PING"), err);
}

static void close_store(void *context)
{
	struct redis_store *store = context;

	if (store == NULL)
		return;
	drop(store);
	explicit_bzero(store->password, sizeof store->password);
	free(store);
}

/* The secret "redis" is its password, if there is one. */
static int read_password(struct redis_store *store, struct err *err)
{
	char path[4096];
	size_t len;

	snprintf(path, sizeof path, "%s/redis", store->settings->secret_dir);
	if (access(path, F_OK) != 0)
		return 0;
	if (settings_secret(store->settings, "redis", store->password, PASSWORD_MAX, &len, err) !=
		0)
		return -1;
	store->password[len] = '\0';
	return 0;
}

static void *open_store(const struct settings *settings, struct err *err)
{
	struct redis_store *store = calloc(1, sizeof *store);

	assert(store != NULL);
	store->settings = settings;
	if (!address_parse(settings->sess_check_redis, &store->address))
		err_set(err, ERR_CONFIG, "[sess_check_svr] redis is no address");
	else if (read_password(store, err) == 0 && connect_redis(store, err) == 0)
		return store;
	close_store(store);
	return NULL;
}

static void name_of(const struct sess_count *count, char out[NAME_MAX_LEN])
{
	static const char hex[] = "0123456789abcdef";
	char *at = out + sprintf(out, "picstore:session:");

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		*at++ = hex[count->key[i] >> 4];
		*at++ = hex[count->key[i] & 15];
	}
	*at = '\0';
}

/* Within MULTI nothing ends between the SET, which makes a count that Redis will forget,
 * and the INCR. */
static bool send_all(
	struct redis_store *store, const struct sess_count *counts, size_t count, int64_t now)
{
	char name[NAME_MAX_LEN];
	bool sent = redisAppendCommand(store->redis, "MULTI") == REDIS_OK;

	for (size_t i = 0; i < count && sent; i++) {
		int64_t left = counts[i].ends - now;

		name_of(&counts[i], name);
		if (!counts[i].use)
			sent = redisAppendCommand(store->redis, "GET %s", name) == REDIS_OK;
		else
			sent = redisAppendCommand(store->redis, "SET %s 0 EX %lld NX", name,
				       (long long)(left > 0 ? left : 1)) == REDIS_OK &&
			       redisAppendCommand(store->redis, "INCR %s", name) == REDIS_OK;
	}
	return sent && redisAppendCommand(store->redis, "EXEC") == REDIS_OK;
}

static bool take_count(const redisReply *reply, struct sess_count *count, uint32_t limit)
{
	long long used;

	if (count->use && reply->type == REDIS_REPLY_INTEGER)
		used = reply->integer;
	else if (!count->use && reply->type == REDIS_REPLY_STRING)
		used = strtoll(reply->str, NULL, 10);
	else if (!count->use && reply->type == REDIS_REPLY_NIL)
		used = 0;
	else
		return false;
	if (used < 0)
		return false;
	count->refused = count->use && used > (long long)limit;
	count->used = used > (long long)limit ? limit : (uint32_t)used;
	return true;
}

static int take_counts(struct redis_store *store, const redisReply *all, struct sess_count *counts,
	size_t count, uint32_t limit, struct err *err)
{
	size_t at = 0;

	if (all->type == REDIS_REPLY_ERROR)
		return fail(store, ERR_SERVICE_DOWN, all->str, err);
	for (size_t i = 0; i < count; i++) {
		at += counts[i].use; /* passes over the reply to SET */
		if (all->type != REDIS_REPLY_ARRAY || at >= all->elements ||
			!take_count(all->element[at], &counts[i], limit))
			return fail(store, ERR_SERVICE_DOWN, "its answer makes no sense", err);
		at++;
	}
	return 0;
}

static int count_once(struct redis_store *store, struct sess_count *counts, size_t count,
	uint32_t limit, int64_t now, struct err *err)
{
	void *reply = NULL;
	size_t queued = 1; /* replies before that of EXEC */
	int result;

	if (store->redis == NULL && connect_redis(store, err) != 0)
		return -1;
	if (!send_all(store, counts, count, now))
		return lost(store, err);
	for (size_t i = 0; i < count; i++)
		queued += counts[i].use ? 2 : 1;
	for (size_t i = 0; i < queued; i++)
		if (redisGetReply(store->redis, &reply) != REDIS_OK ||
			take_status(store, reply, err) != 0)
			return store->redis == NULL ? -1 : lost(store, err);
	if (redisGetReply(store->redis, &reply) != REDIS_OK)
		return lost(store, err);
	result = take_counts(store, reply, counts, count, limit, err);
	freeReplyObject(reply);
	return result;
}

static int count_all(void *context, struct sess_count *counts, size_t count, uint32_t limit,
	int64_t now, struct err *err)
{
	struct redis_store *store = context;
	bool connected = store->redis != NULL;
	int result = count_once(store, counts, count, limit, now, err);

	/* Counting twice by a connection that just broke errs to the safe side. */
	if (result != 0 && connected)
		result = count_once(store, counts, count, limit, now, err);
	return result;
}

const struct sess_store sess_store_redis = {
	.name = "redis",
	.open = open_store,
	.count = count_all,
	.close = close_store,
};
