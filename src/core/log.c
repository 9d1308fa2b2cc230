#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1280 };

static const char *const level_names[] = { "ALARM", "error", "warning", "info", "debug" };
static const char *program = "picstore";
static enum log_level least = LOG_INFO;

void log_init(const char *name, enum log_level level)
{
	program = name;
	least = level;
}

bool log_shown(enum log_level level)
{
	return level <= least;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_LEN + 1], stamp[32];
	struct timespec now;
	struct tm utc;
	va_list args;
	int len, more;

	if (!log_shown(level))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
	len = snprintf(line, sizeof line, "%s.%03dZ %s %s: ", stamp, (int)(now.tv_nsec / 1000000),
		program, level_names[level]);
	va_start(args, format);
	more = vsnprintf(line + len, sizeof line - (size_t)len, format, args);
	va_end(args);
	len = more < 0 ? len : len + more;
	if (len > LINE_MAX_LEN - 1)
		len = LINE_MAX_LEN - 1;
	for (int i = 0; i < len; i++)
		if (line[i] < 0x20 || line[i] > 0x7e) /* from 0x80 on they may be negative */
			line[i] = '?';
	line[len] = '\n';
	/* There is nowhere to report that stderr is gone. */
	if (write(STDERR_FILENO, line, (size_t)len + 1) < 0)
		return;
}
