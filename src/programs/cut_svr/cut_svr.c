#include "programs/cut_svr/cut_svr.h"

#include "core/clock.h"
#include "core/log.h"
#include "fdfs/client.h"
#include "image/picture_mark.h"
#include "programs/cut_svr/cut_settler.h"
#include "programs/cut_svr/cut_shop.h"
#include "service/store_client.h"
#include "service/ticker.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct cut_svr {
	struct picture_cutter *cutter;
	struct fdfs_client *client;
	struct cut_memory *memory;
	struct cut_shop *shop;
	struct cut_settler *settler;
	struct ticker *ticker;
	_Atomic bool broken; /* no picture can be cut any more */
};

enum {
	LOOKS_PER_AGE = 4, /* so much later than its age a cut is settled at most */
	LOOK_MIN_MS = 250,
	LOOK_MAX_MS = 5000,
};

struct service_counter cut_svr_counters[CUT_SVR_COUNTERS] = {
	FRAME_COUNTERS,
	[CUT_SVR_MADE] = { "made", "pictures made", false, 0 },
	[CUT_SVR_REMEMBERED] = { "remembered", "requests answered with a picture made before",
		false, 0 },
	[CUT_SVR_SHARED] = { "shared", "requests answered together with another for the same",
		false, 0 },
	[CUT_SVR_BYTES_IN] = { "bytes_in", "bytes of pictures that were cut", false, 0 },
	[CUT_SVR_BYTES_OUT] = { "bytes_out", "bytes of pictures made", false, 0 },
	[CUT_SVR_CUT_US] = { "cut_us", "microseconds spent on cutting", false, 0 },
};

static void add(int figure, int64_t value)
{
	atomic_fetch_add_explicit(&cut_svr_counters[figure].value, value, memory_order_relaxed);
}

static int stat_picture(void *context, const struct file_id *id, struct err *err)
{
	struct cut_svr *svr = context;
	struct fdfs_info info;

	return fdfs_stat(svr->client, id, &info, err);
}

static int download(void *context, const struct file_id *id, struct buf *picture, struct err *err)
{
	struct cut_svr *svr = context;

	return fdfs_download(svr->client, id, picture, err);
}

static int upload(void *context, const char *group, struct span picture, const char *ext,
	struct file_id *id, struct err *err)
{
	struct cut_svr *svr = context;

	if (fdfs_upload(svr->client, group, picture, ext, id, err) < 0)
		return -1;
	add(CUT_SVR_BYTES_OUT, (int64_t)picture.len);
	return 0;
}

/* A picture that nobody was told of; if it stays, it is only in the way. */
static int remove_picture(void *context, const struct file_id *id, struct err *err)
{
	struct cut_svr *svr = context;
	char text[FILE_ID_TEXT_MAX + 1];
	struct err why = { 0 };

	if (fdfs_delete(svr->client, id, NULL, &why) == 0 || why.code == ERR_NOT_FOUND ||
		why.code == ERR_GONE)
		return 0;
	file_id_format(id, text);
	log_warn("%s, which nobody was told of, stays in the store: %s", text, why.text);
	if (err != NULL)
		*err = why;
	return -1;
}

static int cut(void *context, struct span picture, const struct cut_wish *wish, struct buf *result,
	struct picture_facts *made, struct err *err)
{
	struct cut_svr *svr = context;
	int64_t start = clock_mono_us();
	int status = picture_cut(svr->cutter, picture, wish, result, made, err);

	add(CUT_SVR_CUT_US, clock_mono_us() - start);
	add(CUT_SVR_BYTES_IN, (int64_t)picture.len);
	if (status < 0 && err->code == ERR_INTERNAL && !atomic_exchange(&svr->broken, true)) {
		log_error("pictures cannot be cut any more, so it ends: a supervisor starts it "
			  "anew");
		kill(getpid(), SIGTERM);
	}
	return status;
}

/* The cutter's processes inherit what is open, so it comes first. */
static int open_cutter(struct cut_svr *svr, const struct settings *settings, struct err *err)
{
	struct picture_cutter_conf conf = {
		.rules = {
			.limits = {
				.max_width = (uint32_t)settings->max_width,
				.max_height = (uint32_t)settings->max_height,
				.max_pixels = (uint64_t)settings->max_pixels,
				.max_pixels_progressive =
					(uint64_t)settings->max_pixels_progressive,
				.max_frames = (uint32_t)settings->max_frames,
				.formats = (1u << PICTURE_FORMATS) - 2, /* but PICTURE_NONE */
			},
			.max_pixels = (uint64_t)settings->cut_max_pixels,
			.quality = (int)settings->cut_quality,
			.animated = settings->cut_animated,
		},
		.workers = (int)settings->cut_workers,
		.timeout_ms = settings->cut_timeout,
		.memory = (uint64_t)settings->cut_memory,
		.max_bytes = (uint64_t)settings->cut_max_bytes,
		.max_result = (uint64_t)settings->cut_max_bytes,
	};

	svr->cutter = picture_cutter_new(&conf, err);
	return svr->cutter == NULL ? -1 : 0;
}

static int open_client(struct cut_svr *svr, const struct settings *settings, struct err *err)
{
	/* Uploads are not repeated: of each one it is noted what became of it. */
	const struct fdfs_client_conf conf = store_client_conf(settings,
		(size_t)settings->cut_max_bytes + PICTURE_MARK_MAX, (size_t)settings->cut.threads);

	if (settings->tracker_server.count == 0)
		return err_set(err, ERR_CONFIG, "[fdfs] tracker_server is empty");
	svr->client = fdfs_client_new(&conf, err);
	return svr->client == NULL ? -1 : 0;
}

static int64_t look_ms(int64_t age_ms)
{
	int64_t ms = age_ms / LOOKS_PER_AGE;

	return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

/* What was found is doomed, and removed at once. */
static void look(void *context)
{
	struct cut_svr *svr = context;
	struct err err = { 0 };

	if (cut_settler_look(svr->settler, &err) != 0)
		log_warn("cuts that may have been stored cannot be searched for now: %s", err.text);
	cut_shop_clean(svr->shop);
}

int cut_svr_open(struct service_context *context, struct err *err)
{
	const struct settings *settings = context->settings;
	struct cut_svr *svr = calloc(1, sizeof *svr);

	assert(svr != NULL);
	context->state = svr;
	if (open_cutter(svr, settings, err) < 0 || open_client(svr, settings, err) < 0)
		return -1;
	svr->memory = cut_memory_open(settings->cut_made, err);
	if (svr->memory == NULL)
		return -1;
	svr->shop = cut_shop_new(&(struct cut_tools){
		.context = svr,
		.stat = stat_picture,
		.download = download,
		.upload = upload,
		.remove = remove_picture,
		.cut = cut,
		.memory = svr->memory,
		.max_bytes = (size_t)settings->cut_max_bytes,
		.max_result = (size_t)settings->cut_max_bytes,
	});
	svr->settler = cut_settler_new(settings, svr->client, svr->memory);
	svr->ticker = ticker_new(look_ms(settings->cut_pending), look, svr, err);
	return svr->ticker == NULL ? -1 : 0;
}

int cut_svr_answer(
	void *state, const struct frame_request *request, struct buf *reply, struct err *err)
{
	static const int figures[] = {
		[CUT_MADE] = CUT_SVR_MADE,
		[CUT_REMEMBERED] = CUT_SVR_REMEMBERED,
		[CUT_SHARED] = CUT_SVR_SHARED,
	};
	struct cut_svr *svr = state;
	struct package_item made;
	struct package_cut wanted;
	enum cut_way way;

	if (!package_cut_decode(request->body, request->order, &wanted))
		return err_set(err, ERR_BAD_REQUEST, "a body of %zu bytes is not that of a cut",
			request->body.len);
	way = cut_shop_serve(svr->shop, &wanted, &made.url, err);
	if (way == CUT_FAILED)
		return err_prefix(err, "%s", wanted.url.text);
	add(figures[way], 1);
	made.hostid = wanted.hostid;
	package_item_encode(reply, request->order, &made);
	return 0;
}

void cut_svr_close(struct service_context *context)
{
	struct cut_svr *svr = context->state;

	if (svr == NULL)
		return;
	ticker_free(svr->ticker);
	cut_settler_free(svr->settler);
	cut_shop_free(svr->shop);
	cut_memory_close(svr->memory);
	fdfs_client_free(svr->client);
	picture_cutter_free(svr->cutter);
	free(svr);
	context->state = NULL;
}
