#include "programs/picstore/move_report.h"

#include "core/clock.h"
#include "programs/picstore/cli.h"
#include "programs/picstore/progress.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_MS = 200, LINE_MS = 5000 };

static const char *const words[MOVE_OUTCOMES] = {
	[MOVE_ALREADY] = "there already",
	[MOVE_DELETED] = "deleted before",
	[MOVE_PASSED] = "passed over",
	[MOVE_FAILED] = "failed",
};

int move_report_start(struct move_report *report, const struct cli *cli, const char *verb,
	const char *failures, struct err *err)
{
	*report = (struct move_report){
		.cli = cli,
		.verb = verb,
		.started_ms = clock_mono_ms(),
		.told_ms = clock_mono_ms(),
		.terminal = isatty(STDERR_FILENO) == 1,
	};
	pthread_mutex_init(&report->lock, NULL);
	if (failures == NULL)
		return 0;
	report->failures = fopen(failures, "we");
	return report->failures != NULL ? 0 : err_errno(err, "%s: cannot write", failures);
}

static uint64_t dealt_with(const struct move_report *report)
{
	uint64_t sum = 0;

	for (int i = 0; i < MOVE_OUTCOMES; i++)
		sum += report->counts[i];
	return sum;
}

void move_report_text(const struct move_report *report, int64_t now_ms, bool end, char out[200])
{
	int64_t ms = now_ms - report->started_ms;
	uint64_t sum = dealt_with(report);
	char size[16], rate[16];
	struct buf text;

	buf_init(&text, 190);
	progress_size(size, report->bytes);
	progress_size(rate, ms > 0 ? (uint64_t)((double)report->bytes * 1000 / (double)ms) : 0);
	buf_printf(&text, "%" PRIu64, report->counts[MOVE_DONE]);
	if (report->total > 0)
		buf_printf(&text, " of %" PRIu64, report->total);
	buf_printf(&text, " %s", report->verb);
	for (int i = 1; i < MOVE_OUTCOMES; i++)
		if (report->counts[i] > 0)
			buf_printf(&text, ", %" PRIu64 " %s", report->counts[i], words[i]);
	buf_printf(&text, ", %s, %s/s", size, rate);
	if (!end && report->total > sum && sum > 0) {
		double left_s = (double)ms / 1000 / (double)sum * (double)(report->total - sum);

		buf_printf(&text, ", %d:%02d left", (int)left_s / 60, (int)left_s % 60);
	}
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	buf_fini(&text);
}

static void clear(struct move_report *report)
{
	if (report->drawn)
		fputs("\r\033[K", stderr);
	report->drawn = false;
}

static void tell(struct move_report *report)
{
	int64_t now = clock_mono_ms();
	char text[200];

	if (now - report->told_ms < (report->terminal ? REDRAW_MS : LINE_MS))
		return;
	report->told_ms = now;
	move_report_text(report, now, false, text);
	if (!report->terminal) {
		cli_say(report->cli, "%s", text);
		return;
	}
	fprintf(stderr, "\r\033[K%.78s", text);
	fflush(stderr);
	report->drawn = true;
}

/* One line, whatever a file is called. */
static void put_safe(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void note_failure(struct move_report *report, const char *what, const struct err *err)
{
	if (report->failures == NULL)
		return;
	put_safe(report->failures, what);
	fprintf(report->failures, "\t%s\t", err_word(err->code));
	put_safe(report->failures, err->text);
	putc('\n', report->failures);
}

void move_report_add(struct move_report *report, const char *what, enum move_outcome outcome,
	uint64_t bytes, const char *id, const struct err *err)
{
	pthread_mutex_lock(&report->lock);
	report->counts[outcome]++;
	report->bytes += bytes;
	if (outcome == MOVE_FAILED || outcome == MOVE_PASSED) {
		clear(report);
		cli_say(report->cli, "%s: %s%s", what,
			outcome == MOVE_PASSED ? "passed over: " : "", err->text);
		if (outcome == MOVE_FAILED)
			note_failure(report, what, err);
	}
	if (id != NULL) {
		clear(report);
		printf("%s\t", id);
		put_safe(stdout, what);
		putchar('\n');
	}
	tell(report);
	pthread_mutex_unlock(&report->lock);
}

int move_report_end(struct move_report *report)
{
	bool failed = report->counts[MOVE_FAILED] > 0;
	char text[200];

	clear(report);
	move_report_text(report, clock_mono_ms(), true, text);
	cli_say(report->cli, "%s", text);
	if (report->failures != NULL && fclose(report->failures) != 0) {
		cli_say(report->cli, "the list of failures is not complete: the disk may be full");
		failed = true;
	}
	pthread_mutex_destroy(&report->lock);
	return failed ? CLI_FAILED : CLI_OK;
}
