/* sim_event.h - what was done to a simulated disk, for the files that make it up. */
#pragma once

#include "sim_disk.h"
#include "sim_image.h"

struct sim_event {
	enum {
		SIM_CREATE,     /* node, number, is_folder; without a name yet */
		SIM_WRITE,      /* node, offset, bytes */
		SIM_GROW,       /* node, size: at least */
		SIM_TRUNCATE,   /* node, size */
		SIM_PUNCH,      /* node, offset, len */
		SIM_NAME,       /* folder, name, node */
		SIM_RENAME,     /* folder, from, name, node */
		SIM_UNNAME,     /* folder, name */
		SIM_FLUSH,      /* node or folder */
		SIM_FLUSH_FAIL, /* node or folder */
		SIM_MARK,       /* number */
	} what;
	int node, folder;
	unsigned number;
	bool is_folder;
	size_t offset, len; /* or size, in offset */
	uint8_t *bytes;
	char name[SIM_NAME_MAX], from[SIM_NAME_MAX];
};

struct sim {
	struct sim_image start; /* the disk before the first event, all of it flushed */
	struct sim_image now;
	struct sim_event *events;
	_Atomic size_t count; /* which others may ask for while the life goes on */
	size_t cap;
};

/* It happens: to `now`, and it is remembered.  Its bytes are taken over. */
void sim_add(struct sim *sim, struct sim_event event);
void sim_forget(struct sim *sim); /* what has happened; not what it did */

/* What an event does to a disk. */
void sim_apply(struct sim_image *image, const struct sim_event *event);
