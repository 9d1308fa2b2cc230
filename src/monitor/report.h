/* report.h - what a monitor found: rows of figures, a state, and why it is that state.
 *
 * Which figures there are, tables of columns say; the screen, JSON, Prometheus and the
 * line of a monitoring plug-in all come from them. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "monitor/threshold.h"

enum { REPORT_COLUMNS_MAX = 16, REPORT_ROWS_MAX = 1024, REPORT_TEXT_MAX = 80 };

enum report_state { /* the numbers are exit statuses */
	REPORT_OK = 0,
	REPORT_WARNING = 1,
	REPORT_CRITICAL = 2,
	REPORT_UNKNOWN = 3,
};

enum report_unit {
	REPORT_LABEL, /* a text that names the row */
	REPORT_TEXT,  /* any other */
	REPORT_NUMBER,
	REPORT_COUNTER, /* a number that only grows */
	REPORT_PERCENT,
	REPORT_BYTES,
	REPORT_MS,
	REPORT_SECONDS,
};

struct report_column {
	const char *name; /* in JSON, and in thresholds */
	const char *heading;
	enum report_unit unit;
	const char *help;
};

struct report_kind {
	const char *name; /* "storage" */
	const struct report_column *columns;
	size_t count;
};

struct report_value {
	bool known;
	double number;
	char text[REPORT_TEXT_MAX];
};

struct report_row {
	const struct report_kind *kind;
	struct report_value values[REPORT_COLUMNS_MAX];
};

struct report_problem {
	enum report_state state;
	char text[256];
};

struct report {
	const char *program; /* "monit_fdfs" */
	const char *label;   /* "FDFS" */
	enum report_state state;
	char summary[256]; /* a sentence */
	struct report_row *rows;
	size_t row_count;
	struct report_problem *problems;
	size_t problem_count;
};

void report_init(struct report *report, const char *program, const char *label);
void report_fini(struct report *report);

/* A new row, all of whose values are unknown; valid until the next one.  The last one
 * again once there are REPORT_ROWS_MAX. */
struct report_row *report_add(struct report *report, const struct report_kind *kind);

/* Give a value of a row; the column is known to be there. */
void report_put(struct report_row *row, const char *column, double number);
void report_put_text(struct report_row *row, const char *column, const char *text);

/* Note what is wrong; the report's state becomes at least `state`. */
void report_problem(struct report *report, enum report_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* OK, unknown, warning, critical: the worse of two. */
enum report_state report_worse(enum report_state a, enum report_state b);

const char *report_state_word(enum report_state state); /* "OK" */

/* ---- thresholds ---- */

enum { REPORT_LIMITS_MAX = 64 };

struct report_limit {
	const struct report_kind *kind;
	const struct report_column *column;
	enum report_state state;
	struct threshold threshold;
};

struct report_limits {
	struct report_limit limits[REPORT_LIMITS_MAX];
	size_t count;
};

/* Read "COLUMN=THRESHOLD,..." of the columns of `kinds` (NULL-ended).  It replaces what was
 * there for a column and state; "COLUMN=none" takes it away.  ERR_BAD_REQUEST. */
int report_limits_read(struct report_limits *limits, const struct report_kind *const *kinds,
	enum report_state state, const char *text, struct err *err);

/* Note a problem for each figure that a threshold alerts at: the worst one of each. */
void report_check(struct report *report, const struct report_limits *limits);

/* ---- forms ---- */

void report_screen(const struct report *report, struct buf *out);
void report_json(const struct report *report, struct buf *out);       /* one line */
void report_prometheus(const struct report *report, struct buf *out); /* text format 0.0.4 */
void report_plugin(const struct report *report, struct buf *out);     /* one line, perfdata */
