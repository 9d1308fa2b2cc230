/* report_print.c - the four forms of a report. */
#include "monitor/report.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_MAX = REPORT_TEXT_MAX, MS_PER_S = 1000, PERCENT = 100 };

/* ---- the screen ---- */

static void put_bytes(char out[CELL_MAX], double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t unit = 0;

	for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
		bytes /= 1024;
	snprintf(out, CELL_MAX, bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void put_age(char out[CELL_MAX], double seconds)
{
	if (seconds < 100)
		snprintf(out, CELL_MAX, "%.0f s", seconds);
	else if (seconds < 100 * 60)
		snprintf(out, CELL_MAX, "%.0f min", seconds / 60);
	else if (seconds < 100 * 3600)
		snprintf(out, CELL_MAX, "%.0f h", seconds / 3600);
	else
		snprintf(out, CELL_MAX, "%.0f d", seconds / 86400);
}

static void put_cell(
	const struct report_column *column, const struct report_value *value, char out[CELL_MAX])
{
	if (!value->known) {
		snprintf(out, CELL_MAX, "-");
		return;
	}
	switch (column->unit) {
	case REPORT_LABEL:
	case REPORT_TEXT:
		snprintf(out, CELL_MAX, "%s", value->text);
		break;
	case REPORT_NUMBER:
	case REPORT_COUNTER:
		snprintf(out, CELL_MAX, "%.0f", value->number);
		break;
	case REPORT_PERCENT:
		snprintf(out, CELL_MAX, "%.1f %%", value->number);
		break;
	case REPORT_BYTES:
		put_bytes(out, value->number);
		break;
	case REPORT_MS:
		snprintf(out, CELL_MAX, "%.2f ms", value->number);
		break;
	case REPORT_SECONDS:
		put_age(out, value->number);
		break;
	}
}

static bool is_text(enum report_unit unit)
{
	return unit == REPORT_LABEL || unit == REPORT_TEXT;
}

static void widths_of(const struct report *report, const struct report_kind *kind, int *widths)
{
	char cell[CELL_MAX];

	for (size_t c = 0; c < kind->count; c++)
		widths[c] = (int)strlen(kind->columns[c].heading);
	for (size_t r = 0; r < report->row_count; r++)
		for (size_t c = 0; report->rows[r].kind == kind && c < kind->count; c++) {
			put_cell(&kind->columns[c], &report->rows[r].values[c], cell);
			if ((int)strlen(cell) > widths[c])
				widths[c] = (int)strlen(cell);
		}
}

/* Texts begin where the column does, numbers end where it ends. */
static void put_line(struct buf *out, const struct report_kind *kind, const int *widths,
	const struct report_row *row)
{
	char cell[CELL_MAX];

	for (size_t c = 0; c < kind->count; c++) {
		bool last = c + 1 == kind->count;

		if (row == NULL)
			snprintf(cell, sizeof cell, "%s", kind->columns[c].heading);
		else
			put_cell(&kind->columns[c], &row->values[c], cell);
		if (!is_text(kind->columns[c].unit))
			buf_printf(out, "%*s", widths[c], cell);
		else
			buf_printf(out, "%-*s", last ? 0 : widths[c], cell);
		buf_put_str(out, last ? "\n" : "  ");
	}
}

/* Is `row` the first of its kind? */
static bool begins_kind(const struct report *report, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (report->rows[i].kind == report->rows[row].kind)
			return false;
	return true;
}

void report_screen(const struct report *report, struct buf *out)
{
	int widths[REPORT_COLUMNS_MAX];

	buf_printf(out, "%s %s: %s\n", report->label, report_state_word(report->state),
		report->summary);
	for (size_t i = 0; i < report->problem_count; i++)
		buf_printf(out, "  %s: %s\n", report_state_word(report->problems[i].state),
			report->problems[i].text);
	for (size_t r = 0; r < report->row_count; r++) {
		const struct report_kind *kind = report->rows[r].kind;

		if (!begins_kind(report, r))
			continue;
		widths_of(report, kind, widths);
		buf_put_str(out, "\n");
		put_line(out, kind, widths, NULL);
		for (size_t i = r; i < report->row_count; i++)
			if (report->rows[i].kind == kind)
				put_line(out, kind, widths, &report->rows[i]);
	}
}

/* ---- JSON ---- */

static json_t *row_json(const struct report_row *row)
{
	json_t *one = json_object();

	for (size_t c = 0; c < row->kind->count; c++) {
		const struct report_value *value = &row->values[c];
		json_t *json;

		if (!value->known)
			json = json_null();
		else if (is_text(row->kind->columns[c].unit))
			json = json_string(value->text);
		else if (value->number == floor(value->number) && fabs(value->number) < 1e15)
			json = json_integer((json_int_t)value->number);
		else
			json = json_real(value->number);
		json_object_set_new(one, row->kind->columns[c].name, json);
	}
	return one;
}

void report_json(const struct report *report, struct buf *out)
{
	json_t *all = json_object(), *problems = json_array();
	char *text;

	json_object_set_new(all, "monitor", json_string(report->program));
	json_object_set_new(all, "state", json_string(report_state_word(report->state)));
	json_object_set_new(all, "summary", json_string(report->summary));
	for (size_t i = 0; i < report->problem_count; i++) {
		json_t *text_of = json_string(report->problems[i].text);

		json_array_append_new(
			problems, json_pack("{s:s, s:o}", "state",
					  report_state_word(report->problems[i].state), "text",
					  text_of != NULL ? text_of : json_string("?")));
	}
	json_object_set_new(all, "problems", problems);
	for (size_t r = 0; r < report->row_count; r++) {
		const char *kind = report->rows[r].kind->name;

		if (json_object_get(all, kind) == NULL)
			json_object_set_new(all, kind, json_array());
		json_array_append_new(json_object_get(all, kind), row_json(&report->rows[r]));
	}
	text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(9));
	assert(text != NULL);
	buf_put_str(out, text);
	buf_put_str(out, "\n");
	free(text);
	json_decref(all);
}

/* ---- Prometheus ---- */

/* The unit as the names of Prometheus end, and by what the number is divided. */
static const char *ending(enum report_unit unit, double *divisor)
{
	*divisor = 1;
	switch (unit) {
	case REPORT_COUNTER:
		return "_total";
	case REPORT_PERCENT:
		*divisor = PERCENT;
		return "_ratio";
	case REPORT_BYTES:
		return "_bytes";
	case REPORT_MS:
		*divisor = MS_PER_S;
		return "_seconds";
	case REPORT_SECONDS:
		return "_seconds";
	default:
		return "";
	}
}

static void put_label(struct buf *out, const char *name, const char *text, bool first)
{
	buf_printf(out, "%s%s=\"", first ? "{" : ",", name);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*text);
	}
	buf_put_str(out, "\"");
}

static void put_labels(struct buf *out, const struct report_row *row)
{
	bool first = true;

	for (size_t c = 0; c < row->kind->count; c++) {
		if (row->kind->columns[c].unit != REPORT_LABEL || !row->values[c].known)
			continue;
		put_label(out, row->kind->columns[c].name, row->values[c].text, first);
		first = false;
	}
	buf_put_str(out, first ? "" : "}");
}

static void put_metric(
	const struct report *report, const struct report_kind *kind, size_t c, struct buf *out)
{
	const struct report_column *column = &kind->columns[c];
	size_t len = strlen(column->name);
	double divisor;
	const char *end = ending(column->unit, &divisor);
	bool named = false;

	if (len >= strlen(end) && strcmp(column->name + len - strlen(end), end) == 0)
		end = "";

	for (size_t r = 0; r < report->row_count; r++) {
		const struct report_row *row = &report->rows[r];

		if (row->kind != kind || !row->values[c].known)
			continue;
		if (!named) {
			buf_printf(out, "# HELP %s_%s_%s%s %s\n", report->program, kind->name,
				column->name, end, column->help);
			buf_printf(out, "# TYPE %s_%s_%s%s %s\n", report->program, kind->name,
				column->name, end,
				column->unit == REPORT_COUNTER ? "counter" : "gauge");
			named = true;
		}
		buf_printf(out, "%s_%s_%s%s", report->program, kind->name, column->name, end);
		put_labels(out, row);
		buf_printf(out, " %.10g\n", row->values[c].number / divisor);
	}
}

void report_prometheus(const struct report *report, struct buf *out)
{
	buf_printf(
		out, "# HELP %s_state 0 OK, 1 warning, 2 critical, 3 unknown\n", report->program);
	buf_printf(out, "# TYPE %s_state gauge\n", report->program);
	buf_printf(out, "%s_state %d\n", report->program, (int)report->state);
	for (size_t r = 0; r < report->row_count; r++)
		for (size_t c = 0; begins_kind(report, r) && c < report->rows[r].kind->count; c++)
			if (!is_text(report->rows[r].kind->columns[c].unit))
				put_metric(report, report->rows[r].kind, c, out);
}

/* ---- monitoring plug-ins ---- */

/* The labels of a row, each with a dot behind it. */
static void put_name(struct buf *out, const struct report_row *row)
{
	for (size_t c = 0; c < row->kind->count; c++) {
		if (row->kind->columns[c].unit != REPORT_LABEL || !row->values[c].known)
			continue;
		for (const char *t = row->values[c].text; *t != '\0'; t++)
			buf_put_u8(out, strchr("'=| ", *t) != NULL ? '_' : (uint8_t)*t);
		buf_put_u8(out, '.');
	}
}

static void put_perfdata(struct buf *out, const struct report_row *row)
{
	for (size_t c = 0; c < row->kind->count; c++) {
		const struct report_column *column = &row->kind->columns[c];
		const char *unit = column->unit == REPORT_PERCENT   ? "%"
				   : column->unit == REPORT_BYTES   ? "B"
				   : column->unit == REPORT_MS      ? "ms"
				   : column->unit == REPORT_SECONDS ? "s"
				   : column->unit == REPORT_COUNTER ? "c"
								    : "";

		if (is_text(column->unit) || !row->values[c].known)
			continue;
		buf_put_str(out, " '");
		put_name(out, row);
		buf_printf(out, "%s'=%.10g%s", column->name, row->values[c].number, unit);
	}
}

void report_plugin(const struct report *report, struct buf *out)
{
	buf_printf(out, "%s %s: ", report->label, report_state_word(report->state));
	for (size_t i = 0; i < report->problem_count; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : "; ", report->problems[i].text);
	buf_printf(out, "%s |", report->problem_count == 0 ? report->summary : "");
	for (size_t r = 0; r < report->row_count; r++)
		put_perfdata(out, &report->rows[r]);
	buf_put_str(out, "\n");
}
