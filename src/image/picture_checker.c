#include "image/picture.h"
#include "image/picture_jobs.h"
#include "image/picture_probe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct picture_checker {
	struct picture_limits limits;
	struct picture_jobs *jobs;
};

struct finding {
	uint32_t format, width, height, frames;
};

static_assert(sizeof(struct finding) <= PICTURE_FINDING_MAX, "a finding fits its room");

static unsigned prepare(const void *context, unsigned formats, struct err *err)
{
	(void)context;
	return picture_probe_init(formats, err);
}

static int work(const void *context, unsigned formats, struct picture_job *job, struct err *err)
{
	struct picture_limits limits = *(const struct picture_limits *)context;
	struct picture_facts facts;
	struct finding finding;

	limits.formats = formats;
	if (picture_probe(&limits, job->picture, &facts, err) < 0)
		return -1;
	finding = (struct finding){
		.format = facts.format,
		.width = facts.width,
		.height = facts.height,
		.frames = facts.frames,
	};
	memcpy(job->finding, &finding, sizeof finding);
	return 0;
}

static const struct picture_trade checking = {
	.name = "picture",
	.prepare = prepare,
	.work = work,
};

struct picture_checker *picture_checker_new(
	const struct picture_checker_conf *conf, struct err *err)
{
	struct picture_checker *checker = calloc(1, sizeof *checker);

	assert(checker != NULL);
	checker->limits = conf->limits;
	checker->jobs = picture_jobs_new(
		&(struct picture_jobs_conf){
			.trade = &checking,
			.context = &checker->limits,
			.formats = conf->limits.formats,
			.workers = conf->workers,
			.timeout_ms = conf->timeout_ms,
			.memory = conf->memory,
			.max_bytes = conf->max_bytes,
		},
		err);
	if (checker->jobs == NULL) {
		free(checker);
		return NULL;
	}
	return checker;
}

void picture_checker_free(struct picture_checker *checker)
{
	if (checker == NULL)
		return;
	picture_jobs_free(checker->jobs);
	free(checker);
}

unsigned picture_checker_formats(const struct picture_checker *checker)
{
	return picture_jobs_formats(checker->jobs);
}

int picture_check(struct picture_checker *checker, struct span bytes, struct picture_facts *facts,
	struct err *err)
{
	const struct picture_limits *limits = &checker->limits;
	struct finding finding = { 0 };
	struct picture_order order = {
		.picture = bytes,
		.finding = &finding,
		.finding_len = sizeof finding,
	};

	if (picture_jobs_do(checker->jobs, &order, err) < 0)
		return -1;
	if (finding.format != picture_sniff(bytes) || finding.width == 0 || finding.height == 0 ||
		finding.frames == 0 || finding.frames > limits->max_frames ||
		(uint64_t)finding.width * finding.height > limits->max_pixels)
		return err_set(err, ERR_TRUNCATED, "the picture cannot be decoded here");
	*facts = (struct picture_facts){
		.format = (enum picture_format)finding.format,
		.width = finding.width,
		.height = finding.height,
		.frames = finding.frames,
	};
	return 0;
}
