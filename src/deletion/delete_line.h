/* delete_line.h - a line of the delete log.
 *
 *     2026-11-22T15:30:00.123Z delete 7 10001 g01/M00/00/00/CgEB...768.jpg 5f3a9c01
 *     time                     verb   |  |    url                           crc
 *                                     |  user: the field id of the package
 *                                     hostid
 *
 * Fields are separated by single spaces; every line ends with a newline.
 *
 *     time    when the request came, UTC, milliseconds
 *     verb    "delete"; or "undelete", which takes back the deletes of that url above it
 *     hostid, user   decimal, no leading zeros
 *     url     the id of a picture, at most 64 characters
 *     crc     CRC-32 of all that stands before it in the line, 8 lower-case hex digits
 *
 * A line has one spelling.  Whatever else is found in a log is damage. */
#pragma once

#include "wire/package.h"

enum { DELETE_LINE_MAX = 140 }; /* with the newline */

enum delete_verb { DELETE_VERB_DELETE, DELETE_VERB_UNDELETE };

struct delete_line {
	int64_t time_ms; /* Unix milliseconds, 0 to the end of year 9999 */
	enum delete_verb verb;
	uint32_t hostid, user;
	struct package_url url;
};

/* Append the line and its newline.  The url must be an id: delete_line_url_ok. */
void delete_line_put(struct buf *out, const struct delete_line *line);

/* Read the bytes of a line, without its newline.  Returns false, and leaves `*line`
 * alone, if it is damaged. */
bool delete_line_parse(struct span text, struct delete_line *line);

/* Is it the id of a picture that fits the field of a package? */
bool delete_line_url_ok(struct span url);
