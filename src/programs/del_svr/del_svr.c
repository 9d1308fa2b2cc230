/* del_svr.c - requests to lines, and many requests to one flush.
 *
 * The loop's thread checks a request and makes its lines.  One more thread takes the lines
 * of all requests that have come meanwhile, appends them with one write, waits for the disk
 * once, and answers all of them. */
#include "programs/del_svr/del_svr.h"

#include "core/clock.h"
#include "core/log.h"
#include "deletion/delete_line.h"
#include "deletion/delete_log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	GROUP_MAX = 64 << 20, /* bytes of lines in one flush */
	REQUESTS_MAX = 4096,  /* in one flush */
};

struct service_counter del_svr_counters[DEL_COUNTERS] = {
	FRAME_COUNTERS,
	[DEL_PICTURES] = { "pictures", "pictures noted", false, 0 },
	[DEL_FLUSHES] = { "flushes", "times that the log was brought to the disk", false, 0 },
};

/* Requests that wait for a flush, and their lines. */
struct group {
	struct frame_request *requests[REQUESTS_MAX];
	size_t count, pictures;
	struct buf lines;
};

struct del_svr {
	struct delete_log *log;
	pthread_t flusher;
	bool has_flusher;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
	struct group groups[2];
	struct group *filling, *flushing;
};

/* ---- the flusher ---- */

static void flush(struct del_svr *svr, struct group *group)
{
	struct err err;
	int result = buf_ok(&group->lines)
			     ? delete_log_append(svr->log, buf_span(&group->lines), &err)
			     : err_set(&err, ERR_BUSY, "too much waits for the disk");

	if (result == 0) {
		atomic_fetch_add(&del_svr_counters[DEL_FLUSHES].value, 1);
		atomic_fetch_add(&del_svr_counters[DEL_PICTURES].value, (int64_t)group->pictures);
	}
	for (size_t i = 0; i < group->count; i++)
		frame_service_reply(group->requests[i], NULL, result == 0 ? NULL : &err);
	group->count = group->pictures = 0;
	buf_clear(&group->lines);
}

static void *flusher(void *argument)
{
	struct del_svr *svr = argument;

	pthread_mutex_lock(&svr->lock);
	for (;;) {
		struct group *group = svr->filling;

		if (group->count == 0 && svr->ending)
			break;
		if (group->count == 0) {
			pthread_cond_wait(&svr->wake, &svr->lock);
			continue;
		}
		svr->filling = svr->flushing;
		svr->flushing = group;
		pthread_mutex_unlock(&svr->lock);
		flush(svr, group);
		pthread_mutex_lock(&svr->lock);
	}
	pthread_mutex_unlock(&svr->lock);
	return NULL;
}

/* ---- requests ---- */

/* The whole request or nothing of it: a caller that is refused has nothing to take back. */
static int check(const struct frame_request *request, uint32_t *count, struct err *err)
{
	if (!package_delete_decode(request->body, request->order, count))
		return err_set(err, ERR_BAD_REQUEST, "the body is no list of at most %d pictures",
			PACKAGE_DELETE_MAX);
	for (uint32_t i = 0; i < *count; i++) {
		struct package_item item;

		package_delete_at(request->body, request->order, i, &item);
		if (!delete_line_url_ok(span_str(item.url.text)))
			return err_set(err, ERR_BAD_ID,
				"picture %u of %u, '%s', is not the id of a picture", i + 1, *count,
				item.url.text);
	}
	return 0;
}

static void put_lines(struct buf *out, const struct frame_request *request, uint32_t count)
{
	struct delete_line line = { .time_ms = clock_unix_ms(), .user = request->package.id };

	for (uint32_t i = 0; i < count; i++) {
		struct package_item item;

		package_delete_at(request->body, request->order, i, &item);
		line.hostid = item.hostid;
		line.url = item.url;
		delete_line_put(out, &line);
	}
}

void del_svr_begin(void *state, struct frame_request *request)
{
	struct del_svr *svr = state;
	struct err err;
	uint32_t count;
	bool full;

	if (check(request, &count, &err) != 0) {
		frame_service_reply(request, NULL, &err);
		return;
	}
	pthread_mutex_lock(&svr->lock);
	full = svr->filling->count == REQUESTS_MAX ||
	       svr->filling->lines.len + (size_t)count * DELETE_LINE_MAX > GROUP_MAX;
	if (!full) {
		put_lines(&svr->filling->lines, request, count);
		svr->filling->requests[svr->filling->count++] = request;
		svr->filling->pictures += count;
		pthread_cond_signal(&svr->wake);
	}
	pthread_mutex_unlock(&svr->lock);
	if (full) {
		err_set(&err, ERR_BUSY, "too many requests wait for the disk");
		frame_service_reply(request, NULL, &err);
	}
}

/* ---- the daemon ---- */

int del_svr_open(struct service_context *context, struct err *err)
{
	struct del_svr *svr = calloc(1, sizeof *svr);

	assert(svr != NULL);
	context->state = svr;
	pthread_mutex_init(&svr->lock, NULL);
	pthread_cond_init(&svr->wake, NULL);
	svr->filling = &svr->groups[0];
	svr->flushing = &svr->groups[1];
	buf_init(&svr->groups[0].lines, GROUP_MAX);
	buf_init(&svr->groups[1].lines, GROUP_MAX);
	svr->log = delete_log_open(context->settings->del_log, err);
	if (svr->log == NULL)
		return -1;
	if (pthread_create(&svr->flusher, NULL, flusher, svr) != 0)
		return err_set(err, ERR_INTERNAL, "cannot start a thread");
	svr->has_flusher = true;
	return 0;
}

void del_svr_close(struct service_context *context)
{
	struct del_svr *svr = context->state;

	if (svr == NULL)
		return;
	if (svr->has_flusher) {
		pthread_mutex_lock(&svr->lock);
		svr->ending = true;
		pthread_cond_signal(&svr->wake);
		pthread_mutex_unlock(&svr->lock);
		pthread_join(svr->flusher, NULL);
	}
	delete_log_close(svr->log);
	buf_fini(&svr->groups[0].lines);
	buf_fini(&svr->groups[1].lines);
	pthread_cond_destroy(&svr->wake);
	pthread_mutex_destroy(&svr->lock);
	free(svr);
}
