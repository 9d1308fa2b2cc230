#include "http/http_date.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The C library's names follow the locale; these do not. */
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

#define TIME_END INT64_C(253402300800) /* 10000-01-01 */

void http_date_format(int64_t time, char out[HTTP_DATE_LEN + 1])
{
	time_t seconds = time;
	struct tm tm;
	char text[80];

	assert(time >= 0 && time < TIME_END);
	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(out, text, HTTP_DATE_LEN + 1);
}

/* The number in `count` digits, or -1. */
static int number(const uint8_t *text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static int month_of(const uint8_t *text)
{
	for (int i = 0; i < 12; i++)
		if (memcmp(text, months[i], 3) == 0)
			return i;
	return -1;
}

bool http_date_parse(struct span text, int64_t *time)
{
	struct tm tm = { 0 };
	char again[HTTP_DATE_LEN + 1];
	int64_t value;

	if (text.len != HTTP_DATE_LEN)
		return false;
	tm.tm_mday = number(text.data + 5, 2);
	tm.tm_mon = month_of(text.data + 8);
	tm.tm_year = number(text.data + 12, 4) - 1900;
	tm.tm_hour = number(text.data + 17, 2);
	tm.tm_min = number(text.data + 20, 2);
	tm.tm_sec = number(text.data + 23, 2);
	if (tm.tm_mday < 0 || tm.tm_mon < 0 || tm.tm_year < 70 || tm.tm_hour < 0 || tm.tm_min < 0 ||
		tm.tm_sec < 0)
		return false;
	value = timegm(&tm);
	if (value < 0 || value >= TIME_END)
		return false;
	/* What is written differently was no date: 31 Feb, 25:00:00, another weekday. */
	http_date_format(value, again);
	if (memcmp(again, text.data, HTTP_DATE_LEN) != 0)
		return false;
	*time = value;
	return true;
}
