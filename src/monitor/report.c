#include "monitor/report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROW = 16 };

void report_init(struct report *report, const char *program, const char *label)
{
	*report = (struct report){ .program = program, .label = label };
}

void report_fini(struct report *report)
{
	free(report->rows);
	free(report->problems);
	report->rows = NULL;
	report->problems = NULL;
	report->row_count = report->problem_count = 0;
}

struct report_row *report_add(struct report *report, const struct report_kind *kind)
{
	assert(kind->count <= REPORT_COLUMNS_MAX);
	if (report->row_count % GROW == 0 && report->row_count < REPORT_ROWS_MAX) {
		report->rows = realloc(
			report->rows, (report->row_count + GROW) * sizeof report->rows[0]);
		assert(report->rows != NULL);
	}
	if (report->row_count < REPORT_ROWS_MAX)
		report->row_count++;
	report->rows[report->row_count - 1] = (struct report_row){ .kind = kind };
	return &report->rows[report->row_count - 1];
}

static struct report_value *value_of(struct report_row *row, const char *column)
{
	for (size_t i = 0; i < row->kind->count; i++)
		if (strcmp(row->kind->columns[i].name, column) == 0)
			return &row->values[i];
	assert(!"a column of this kind");
	abort();
}

void report_put(struct report_row *row, const char *column, double number)
{
	struct report_value *value = value_of(row, column);

	value->known = true;
	value->number = number;
}

void report_put_text(struct report_row *row, const char *column, const char *text)
{
	struct report_value *value = value_of(row, column);

	value->known = true;
	snprintf(value->text, sizeof value->text, "%s", text);
	/* From elsewhere: a terminal is to show it, not to obey it. */
	for (char *c = value->text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
}

enum report_state report_worse(enum report_state a, enum report_state b)
{
	static const int weight[] = {
		[REPORT_OK] = 0,
		[REPORT_UNKNOWN] = 1,
		[REPORT_WARNING] = 2,
		[REPORT_CRITICAL] = 3,
	};

	return weight[a] >= weight[b] ? a : b;
}

const char *report_state_word(enum report_state state)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	return words[state];
}

void report_problem(struct report *report, enum report_state state, const char *format, ...)
{
	struct report_problem *problem;
	va_list args;

	report->state = report_worse(report->state, state);
	if (report->problem_count % GROW == 0) {
		report->problems = realloc(report->problems,
			(report->problem_count + GROW) * sizeof report->problems[0]);
		assert(report->problems != NULL);
	}
	problem = &report->problems[report->problem_count++];
	problem->state = state;
	va_start(args, format);
	vsnprintf(problem->text, sizeof problem->text, format, args);
	va_end(args);
	for (char *c = problem->text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f ||
			*c == '|') /* | ends a plug-in's text */
			*c = '?';
}

/* ---- thresholds ---- */

static int set_limit(
	struct report_limits *limits, const struct report_limit *limit, bool none, struct err *err)
{
	for (size_t i = 0; i < limits->count; i++) {
		struct report_limit *old = &limits->limits[i];

		if (old->column != limit->column || old->state != limit->state)
			continue;
		if (none)
			*old = limits->limits[--limits->count];
		else
			*old = *limit;
		return 0;
	}
	if (none)
		return 0;
	if (limits->count == REPORT_LIMITS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "there are too many thresholds");
	limits->limits[limits->count++] = *limit;
	return 0;
}

static int read_limit(struct report_limits *limits, const struct report_kind *const *kinds,
	enum report_state state, const char *name, const char *value, struct err *err)
{
	struct report_limit limit = { .state = state };
	bool none = strcmp(value, "none") == 0;
	bool found = false;

	if (!none && !threshold_parse(value, &limit.threshold))
		return err_set(err, ERR_BAD_REQUEST,
			"'%.40s' is no threshold for %.40s: 10, 10:, ~:10, 10:20, @10:20 or none",
			value, name);
	for (; *kinds != NULL; kinds++) {
		for (size_t i = 0; i < (*kinds)->count; i++) {
			const struct report_column *column = &(*kinds)->columns[i];

			if (strcmp(column->name, name) != 0 || column->unit <= REPORT_TEXT)
				continue;
			limit.kind = *kinds;
			limit.column = column;
			found = true;
			if (set_limit(limits, &limit, none, err) < 0)
				return -1;
		}
	}
	return found ? 0 : err_set(err, ERR_BAD_REQUEST, "there is no figure '%.40s'", name);
}

int report_limits_read(struct report_limits *limits, const struct report_kind *const *kinds,
	enum report_state state, const char *text, struct err *err)
{
	char *copy = strdup(text), *rest = copy, *word;
	int result = 0;

	assert(copy != NULL);
	while (result == 0 && (word = strsep(&rest, ",")) != NULL) {
		char *equals = strchr(word, '=');

		if (equals == NULL) {
			result = err_set(err, ERR_BAD_REQUEST,
				"'%.40s' is not FIGURE=THRESHOLD, as in free=10:", word);
			break;
		}
		*equals = '\0';
		result = read_limit(limits, kinds, state, word, equals + 1, err);
	}
	free(copy);
	return result;
}

/* "10.1.1.197 g01 100001" */
static void name_of(const struct report_row *row, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < row->kind->count && len < size; i++)
		if (row->kind->columns[i].unit == REPORT_LABEL && row->values[i].known)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len == 0 ? "" : " ",
				row->values[i].text);
}

void report_check(struct report *report, const struct report_limits *limits)
{
	for (size_t r = 0; r < report->row_count; r++) {
		const struct report_row *row = &report->rows[r];

		for (size_t c = 0; c < row->kind->count; c++) {
			enum report_state state = REPORT_OK;
			char name[160];

			for (size_t i = 0; i < limits->count && row->values[c].known; i++)
				if (limits->limits[i].column == &row->kind->columns[c] &&
					threshold_alerts(&limits->limits[i].threshold,
						row->values[c].number))
					state = report_worse(state, limits->limits[i].state);
			if (state == REPORT_OK)
				continue;
			name_of(row, name, sizeof name);
			report_problem(report, state, "%s %s: %s is %.6g", row->kind->name, name,
				row->kind->columns[c].name, row->values[c].number);
		}
	}
}
