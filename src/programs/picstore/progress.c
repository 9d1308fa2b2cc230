#include "programs/picstore/progress.h"

#include "core/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	REDRAW_MS = 100,
	BAR_MAX = 30,
	BAR_MIN = 5,
	WIDTH_MAX = 199,
};

void progress_size(char out[16], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, 16, "%" PRIu64 " B", bytes);
		return;
	}
	while (value >= 1023.95 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, "%.1f %s", value, units[unit]);
}

void progress_format(char out[200], const char *what, size_t done, size_t total, uint64_t bytes,
	int64_t elapsed_ms, int width)
{
	char size[16], rate[16], figures[120], bar[BAR_MAX + 1];
	int64_t left_s = 0;
	int room;

	if (width > WIDTH_MAX)
		width = WIDTH_MAX;
	progress_size(size, bytes);
	progress_size(rate, elapsed_ms > 0 ? bytes * 1000 / (uint64_t)elapsed_ms : 0);
	if (done > 0 && done < total)
		left_s = (int64_t)((double)elapsed_ms / (double)done * (double)(total - done)) /
			 1000;
	if (left_s > 359999)
		left_s = 359999;
	snprintf(figures, sizeof figures, "%zu/%zu  %s  %s/s  %" PRId64 ":%02" PRId64 " left", done,
		total, size, rate, left_s / 60, left_s % 60);
	room = width - (int)strlen(what) - (int)strlen(figures) - 5; /* " [", "]  " */
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room < BAR_MIN) {
		snprintf(out, (size_t)width + 1, "%s %s", what, figures);
		return;
	}
	for (int i = 0; i < room; i++)
		bar[i] = total > 0 && (size_t)i * total < done * (size_t)room ? '#' : '.';
	bar[room] = '\0';
	snprintf(out, (size_t)width + 1, "%s [%s]  %s", what, bar, figures);
}

static int columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10)
		return size.ws_col - 1;
	return 79;
}

static void draw(struct progress *progress, int64_t now)
{
	char line[200];

	progress_format(line, progress->what, progress->done, progress->total, progress->bytes,
		now - progress->started_ms, columns());
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
	progress->drawn_ms = now;
	progress->drawn = true;
}

void progress_start(struct progress *progress, const char *what, size_t total)
{
	*progress = (struct progress){
		.what = what,
		.total = total,
		.started_ms = clock_mono_ms(),
		.shown = total > 1 && isatty(STDERR_FILENO) == 1,
	};
	progress->drawn_ms = progress->started_ms;
}

void progress_set(struct progress *progress, size_t done, size_t total, uint64_t bytes)
{
	int64_t now = clock_mono_ms();

	progress->done = done;
	progress->total = total;
	progress->bytes = bytes;
	if (progress->shown && now - progress->drawn_ms >= REDRAW_MS)
		draw(progress, now);
}

void progress_step(struct progress *progress, uint64_t bytes)
{
	progress_set(progress, progress->done + 1, progress->total, progress->bytes + bytes);
}

void progress_hide(struct progress *progress)
{
	/* Only where both go to a terminal would a line run into the bar. */
	if (isatty(STDOUT_FILENO) == 1)
		progress_drop(progress);
}

void progress_drop(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->drawn = false;
	progress->drawn_ms = 0; /* back at the next step */
}

void progress_end(struct progress *progress)
{
	if (!progress->shown)
		return;
	draw(progress, clock_mono_ms());
	fputc('\n', stderr);
}
