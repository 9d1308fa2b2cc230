#include "monitor/threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 32 };

/* Read a number from `*text` on, and move behind it. */
static bool take_number(const char **text, double *out)
{
	static const char units[] = "KMGT";
	char number[NUMBER_MAX];
	size_t len = strspn(*text, "-.0123456789");
	const char *unit;
	double value;
	char *end;

	if (len == 0 || len >= sizeof number)
		return false;
	memcpy(number, *text, len);
	number[len] = '\0';
	value = strtod(number, &end);
	if (*end != '\0' || end == number)
		return false;
	*text += len;
	unit = **text == '\0' ? NULL : strchr(units, **text);
	if (unit != NULL) {
		value = ldexp(value, 10 * (int)(unit - units + 1));
		++*text;
	}
	*out = value;
	return true;
}

bool threshold_parse(const char *text, struct threshold *out)
{
	struct threshold read = { .low = 0, .high = INFINITY };

	if (*text == '@') {
		read.inside = true;
		text++;
	}
	if (strncmp(text, "~:", 2) == 0) {
		read.low = -INFINITY;
		text += 2;
		if (*text != '\0' && !take_number(&text, &read.high))
			return false;
	} else if (*text == ':') {
		text++;
		if (!take_number(&text, &read.high))
			return false;
	} else {
		if (!take_number(&text, &read.low))
			return false;
		if (*text == '\0') { /* the short form: one end */
			read.high = read.low;
			read.low = 0;
		} else if (*text++ != ':' || (*text != '\0' && !take_number(&text, &read.high))) {
			return false;
		}
	}
	if (*text != '\0' || read.low > read.high)
		return false;
	*out = read;
	return true;
}

bool threshold_alerts(const struct threshold *threshold, double value)
{
	bool within = value >= threshold->low && value <= threshold->high;

	return within == threshold->inside;
}
