#include "store/volume_shift.h"

#include "store/volume_change.h"

#include <assert.h>

/* The record that `id` names; a tombstone too, with ERR_GONE. */
static int find(
	struct volume *volume, const struct file_id *id, struct record *record, struct err *err)
{
	uint8_t header[RECORD_HEADER_LEN];
	ssize_t len;

	if (id->random < VOLUME_FIRST_SPOT)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	len = volume_read(volume, (uint64_t)id->random * RECORD_BLOCK, header, sizeof header, err);
	if (len < 0)
		return -1;
	if (len < RECORD_HEADER_LEN)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", id->name);
	return volume_judge(volume, id, header, record, err);
}

int volume_shift_refill(
	struct volume *volume, const struct engine_shift *shift, bool *wrote, struct err *err)
{
	uint64_t offset = (uint64_t)shift->id.random * RECORD_BLOCK + RECORD_HEADER_LEN;
	struct record record;

	*wrote = false;
	if (!shift->back)
		return 0;
	assert(shift->content.len == shift->id.size);
	if (find(volume, &shift->id, &record, err) != 0)
		return -1;
	if (record_is_here(&record))
		return 0;
	*wrote = true;
	return volume_write(volume, offset, shift->content.data, shift->content.len, err);
}

/* What the record will say.  Returns -1 if that cannot be. */
static int decide(const struct engine_shift *shift, const struct record *record,
	enum engine_cold *cold, struct err *err)
{
	bool here = record_is_here(record);

	*cold = record->cold;
	switch (shift->to) {
	case ENGINE_COLD_NONE:
		if (!here && record->kind == RECORD_PICTURE)
			break;
		*cold = ENGINE_COLD_NONE;
		return 0;
	case ENGINE_COLD_COPY:
		if (record->cold == ENGINE_COLD_NONE || shift->back)
			*cold = ENGINE_COLD_COPY;
		return 0;
	case ENGINE_COLD_ONLY:
		if (record->cold == ENGINE_COLD_NONE)
			break;
		if (here)
			*cold = ENGINE_COLD_ONLY;
		return 0;
	case ENGINE_COLD_EMPTY:
		break;
	}
	return err_set(err, ERR_BAD_REQUEST, "the bytes of %s cannot go from %d to %d",
		record->name, record->cold, shift->to);
}

int volume_shift_note(struct volume *volume, const struct engine_shift *shift,
	struct record *record, struct err *err)
{
	struct err why = { .code = ERR_NONE };
	enum volume_end end;
	uint32_t room;

	*record = (struct record){ 0 };
	if (find(volume, &shift->id, record, &why) != 0 &&
		(why.code != ERR_GONE || shift->to != ENGINE_COLD_NONE))
		return err_set(err, why.code, "%s", why.text);
	if (decide(shift, record, &record->cold, err) != 0)
		return -1;
	/* Without its bytes nothing but the end mark tells how long the record is. */
	if (shift->to == ENGINE_COLD_ONLY &&
		(volume_own_room(volume, record, &room, &end, err) != 0 ||
			(end != VOLUME_END_RIGHT && volume_write_end(volume, record, err) != 0)))
		return -1;
	return volume_write_header(volume, record, err);
}
