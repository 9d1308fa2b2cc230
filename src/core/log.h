/* log.h - lines for the operator, on stderr.
 *
 * Libraries report, programs log: only the place that answers a request logs its
 * failure, once.  A line is "2026-11-22T15:30:00.123Z name level: message"; it is
 * written by one write(2), so lines of several threads never mix.  It is ASCII: control
 * characters and bytes from 0x80 on are shown as ?, so that no peer can forge a line, nor
 * say something to the terminal or the program that reads it. */
#pragma once

#include <stdbool.h>

enum log_level {
	LOG_ALARM, /* wrong bytes, lost durability: somebody must look now */
	LOG_ERROR, /* something failed that should work */
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/* Set the program's name for the lines and the least important level shown.
 * `name` must stay valid.  Before this call lines of LOG_INFO and up are shown. */
void log_init(const char *name, enum log_level level);

bool log_shown(enum log_level level);

/* Write one line; a message over 1 KB is cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_alarm(...) log_line(LOG_ALARM, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
