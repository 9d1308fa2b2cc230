/* up_parts.h - the parts of an installation as services: a folder each, as s6 wants
 * them, and the configuration files of lighttpd and varnishd. */
#pragma once

#include "core/buf.h"
#include "programs/picstore/up_place.h"
#include "service/settings.h"

#include <sys/types.h>

enum { UP_SERVICES_MAX = 128, UP_PARTS_MAX = SETTINGS_STORAGES_MAX + 6 + UP_SERVICES_MAX };

struct up_part {
	char name[64];    /* of its folders: "storage_server-g01" */
	char label[64];   /* for people: "storage_server g01" */
	char where[256];  /* the address it listens on */
	bool is_port;     /* that is a port, which must be free */
	char options[64]; /* of its command line, behind the configuration */

	/* while it runs; for up_tree.c */
	bool ready;
	unsigned deaths; /* before it was ready */
	pid_t waiter;    /* the process that waits for it to be ready, or 0 */
};

struct up_parts {
	struct up_part part[UP_PARTS_MAX];
	size_t count;
};

/* Who is to be started, in the order in which they are listed. */
void up_parts_list(struct up_parts *parts, const struct settings *settings);

/* Write everything below HOME/run. */
int up_parts_write(const struct up_parts *parts, const struct up_place *place,
	const struct settings *settings, struct err *err);

/* Write `text` as one word that shells read: in single quotes where it has to be. */
void up_put_quoted(struct buf *out, const char *text);
