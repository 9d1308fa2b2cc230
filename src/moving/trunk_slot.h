/* trunk_slot.h - the place of one file within a trunk file of FastDFS, where small files
 * lie behind one another.
 *
 *     byte  size
 *     0     1     'F' a file, 'L' a link, 0 free
 *     1     4     slot size
 *     5     4     file size
 *     9     4     CRC-32
 *     13    4     time
 *     17    7     the last 7 characters of the name
 *     24          content, then unused bytes
 *
 * Integers are big endian.  The name says where the slot is, and all that the header
 * must say: as FastDFS does, a header that differs is taken for another file's. */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

enum { TRUNK_SLOT_HEAD = 24 };

enum trunk_slot {
	TRUNK_SLOT_FREE,  /* the file was deleted */
	TRUNK_SLOT_OTHER, /* another file, or nothing that is a slot */
	TRUNK_SLOT_LINK,  /* it is a link to another file */
	TRUNK_SLOT_FILE,  /* the file is here */
};

/* What the bytes at the slot of `id`, a trunk file's, are. */
enum trunk_slot trunk_slot_look(const uint8_t head[TRUNK_SLOT_HEAD], const struct file_id *id);

/* Does the name make sense: does the file fit its slot, and the slot its trunk file? */
bool trunk_slot_fits(const struct file_id *id);
