#include "moving/trunk_slot.h"

#include <string.h>

enum { TAIL = 7 };

bool trunk_slot_fits(const struct file_id *id)
{
	return id->kind == FILE_ID_TRUNK && id->size + TRUNK_SLOT_HEAD <= id->trunk_slot &&
	       (uint64_t)id->trunk_offset + id->trunk_slot <= UINT32_MAX;
}

enum trunk_slot trunk_slot_look(const uint8_t head[TRUNK_SLOT_HEAD], const struct file_id *id)
{
	static const uint8_t free_head[TRUNK_SLOT_HEAD];

	/* A deleted file's whole slot is zeros; a free one that was split has a size. */
	if (head[0] == 0)
		return memcmp(head + 9, free_head, 4) == 0 ? TRUNK_SLOT_FREE : TRUNK_SLOT_OTHER;
	if ((head[0] != 'F' && head[0] != 'L') || load_be32(head + 1) != id->trunk_slot ||
		load_be32(head + 5) != id->size || load_be32(head + 9) != id->crc ||
		load_be32(head + 13) != id->time ||
		memcmp(head + 17, id->name + id->name_len - TAIL, TAIL) != 0)
		return TRUNK_SLOT_OTHER;
	return head[0] == 'F' ? TRUNK_SLOT_FILE : TRUNK_SLOT_LINK;
}
