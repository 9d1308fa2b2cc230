/* conf.h - settings from an ini file, checked against a table.
 *
 * A table of conf_key says all there is to say about a setting: where it stands
 * in the file, of which type and range it is, its default, its help.  Reading,
 * checking, the sample file and the documentation all come from that table.
 * Unknown sections and keys, doubled keys and bad values are refused with file and
 * line.  Values are stored in a struct that the caller owns, at `offset`.
 *
 * The syntax has one way to say a thing, and what other ini files allow beyond it is
 * refused rather than taken to mean something else:
 *
 *     # a comment has a line of its own; ; starts one too
 *     [section]
 *     key = the rest of the line, without the white space around it
 *     [section name]
 *
 * No quotes, no comment behind a value, no continued lines.  Lines may end in CRLF, may
 * be of any length, and a UTF-8 byte order mark may come first. */
#pragma once

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_TEXT,     /* char *: any text, may be empty */
	CONF_PATH,     /* char *: made absolute; a relative one is relative to the file's folder */
	CONF_PATHS,    /* struct conf_list: as CONF_PATH; such paths have no white space or commas */
	CONF_BOOL,     /* bool: yes/no, true/false, on/off, 1/0 */
	CONF_INT,      /* int64_t: decimal, within min and max */
	CONF_SIZE,     /* int64_t: bytes, with K, M, G, T for powers of 1024 */
	CONF_DURATION, /* int64_t: milliseconds, from ms, s, m, h, d; a unit is needed, except for 0 */
	CONF_MODE,     /* int64_t: a file mode, octal: 660 in the file is 0660 in the struct */
	CONF_CHOICE,   /* int64_t: index of a word in `choices` */
	CONF_ADDRESS,  /* char *: "host:port", "[v6]:port" or "unix:/path" */
	CONF_LIST,     /* struct conf_list: words separated by white space or commas */
};

struct conf_list {
	char **items;
	size_t count;
};

struct conf_key {
	const char *section;
	const char *name;
	enum conf_type type;
	size_t offset;
	const char *value;   /* the default, as it would stand in the file */
	int64_t min, max;    /* of INT, SIZE (bytes) and DURATION (ms); both 0: no bounds */
	const char *choices; /* of CHOICE: words separated by | */
	const char *help;    /* a sentence or two, without line breaks */
};

/* A section may stand several times with a name behind it, as in "[storage g01]";
 * such sections fill structs of their own. */
struct conf_table {
	const struct conf_key *keys;
	size_t count;
	/* Sections that take a name: returns the struct for [section name], which it
	 * makes at the first call for a name, or NULL (with err) if that cannot be.
	 * NULL if no section takes a name. */
	void *(*instance)(void *target, const char *section, const char *name, struct err *err);
	const char *const *named; /* NULL-ended list of the sections that take a name */
};

/* Is it [section name]? */
bool conf_takes_name(const struct conf_table *table, const char *section);

/* Fill `target`, zeroed or filled, with every default, except keys of named sections. */
int conf_defaults(const struct conf_table *table, void *target, struct err *err);

/* Fill `instance` with the defaults of the keys of `section`. */
int conf_instance_defaults(
	const struct conf_table *table, const char *section, void *instance, struct err *err);

/* Read `text` on top of what `target` has.  `file` is named in errors
 * ("picstore.conf:12: ...", code ERR_CONFIG); its folder is where relative paths
 * start.  Returns 0, or -1 at the first wrong line. */
int conf_read_text(const struct conf_table *table, const char *file, const char *text, size_t len,
	void *target, struct err *err);

/* The same from the file itself; at most 1 MB. */
int conf_read_file(
	const struct conf_table *table, const char *file, void *target, struct err *err);

/* Set one key from a text, as a command-line option does ("tracker.listen=..." comes
 * apart at the caller).  Of a named section `target` is the instance.  A relative path
 * starts at the current folder. */
int conf_set(const struct conf_table *table, const char *section, const char *name,
	const char *value, void *target, struct err *err);

/* Free what the values of `section` own, or of all sections that take no name when it
 * is NULL.  `target` may be half filled, but not uninitialised. */
void conf_free(const struct conf_table *table, const char *section, void *target);

struct buf;

/* Write the table as a sample file: every key with its help, at its default, with a #
 * in front, so that the file as it is changes nothing. */
void conf_sample(const struct conf_table *table, struct buf *out);

/* Write the table as a Markdown table per section, for docs/configuration.md. */
void conf_markdown(const struct conf_table *table, struct buf *out);
