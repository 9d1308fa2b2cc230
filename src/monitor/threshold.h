/* threshold.h - which values of a figure are worth a warning, written as monitoring
 * plug-ins write it:
 *
 *     10       outside of 0 to 10
 *     10:      under 10
 *     ~:10     over 10
 *     10:20    outside of 10 to 20
 *     @10:20   within 10 to 20, the ends included
 *
 * A number may end in K, M, G or T, for powers of 1024. */
#pragma once

#include <stdbool.h>

struct threshold {
	double low, high; /* may be infinite */
	bool inside;      /* alert within them, not outside */
};

/* Returns false, and leaves `*out` alone, if `text` is no threshold. */
bool threshold_parse(const char *text, struct threshold *out);

bool threshold_alerts(const struct threshold *threshold, double value);
