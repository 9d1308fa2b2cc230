#include "image/cut.h"

#include "image/cut_make.h"
#include "image/picture_jobs.h"
#include "image/picture_probe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct picture_cutter {
	struct cut_rules rules;
	struct picture_jobs *jobs;
};

static_assert(sizeof(struct cut_wish) <= PICTURE_WISH_MAX, "a wish fits its room");
static_assert(sizeof(struct picture_facts) <= PICTURE_FINDING_MAX, "facts fit their room");

static unsigned prepare(const void *context, unsigned formats, struct err *err)
{
	(void)context;
	return picture_probe_init(formats, err);
}

static int work(const void *context, unsigned formats, struct picture_job *job, struct err *err)
{
	struct cut_rules rules = *(const struct cut_rules *)context;
	struct picture_facts made = { 0 };
	struct cut_wish wish;

	rules.limits.formats = formats;
	memcpy(&wish, job->wish, sizeof wish);
	job->result_len = cut_make(
		&rules, job->picture, &wish, job->room, job->room_len, &made, err);
	memcpy(job->finding, &made, sizeof made);
	return job->result_len > 0 ? 0 : -1;
}

static const struct picture_trade cutting = {
	.name = "cutter",
	.prepare = prepare,
	.work = work,
};

struct picture_cutter *picture_cutter_new(const struct picture_cutter_conf *conf, struct err *err)
{
	struct picture_cutter *cutter = calloc(1, sizeof *cutter);

	assert(cutter != NULL && conf->max_result > 0);
	cutter->rules = conf->rules;
	cutter->jobs = picture_jobs_new(
		&(struct picture_jobs_conf){
			.trade = &cutting,
			.context = &cutter->rules,
			.formats = conf->rules.limits.formats,
			.workers = conf->workers,
			.timeout_ms = conf->timeout_ms,
			.memory = conf->memory,
			.max_bytes = conf->max_bytes,
			.max_result = conf->max_result,
		},
		err);
	if (cutter->jobs == NULL) {
		free(cutter);
		return NULL;
	}
	return cutter;
}

void picture_cutter_free(struct picture_cutter *cutter)
{
	if (cutter == NULL)
		return;
	picture_jobs_free(cutter->jobs);
	free(cutter);
}

unsigned picture_cutter_formats(const struct picture_cutter *cutter)
{
	return picture_jobs_formats(cutter->jobs);
}

int picture_cut(struct picture_cutter *cutter, struct span picture, const struct cut_wish *wish,
	struct buf *result, struct picture_facts *made, struct err *err)
{
	struct picture_facts found;
	struct picture_order order = {
		.picture = picture,
		.wish = wish,
		.wish_len = sizeof *wish,
		.finding = &found,
		.finding_len = sizeof found,
		.result = result,
	};

	if (wish->thumb_w == 0 || wish->thumb_h == 0)
		return err_set(err, ERR_BAD_REQUEST, "a picture of %u x %u pixels makes no sense",
			wish->thumb_w, wish->thumb_h);
	if (picture_jobs_do(cutter->jobs, &order, err) < 0)
		return -1;
	if (!buf_ok(result) || found.format != picture_sniff(picture) ||
		found.format != picture_sniff(buf_span(result)))
		return err_set(err, ERR_TRUNCATED, "the picture cannot be cut here");
	*made = found;
	return 0;
}
