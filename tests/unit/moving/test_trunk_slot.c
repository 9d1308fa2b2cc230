#include "moving/trunk_slot.h"
#include "unit.h"

#include <string.h>

/* As a live V6.16.1 had it: "hello world" in the first slot of trunk file 1. */
#define ID "g01/M00/00/00/fwAAAmsC3BiISvWtAAAACw1KEYUAAAAAQAAAAAAAAEA233.jpg"
static const uint8_t live[TRUNK_SLOT_HEAD] = { 0x46, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x0b,
	0x0d, 0x4a, 0x11, 0x85, 0x6b, 0x02, 0xdc, 0x18, '2', '3', '3', '.', 'j', 'p', 'g' };

static struct file_id id_of(const char *text)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(text), &id));
	return id;
}

TEST(the_slot_of_a_live_server_is_known)
{
	struct file_id id = id_of(ID);

	assert_int_equal(id.kind, FILE_ID_TRUNK);
	assert_int_equal(id.trunk_slot, 256);
	assert_true(trunk_slot_fits(&id));
	assert_int_equal(trunk_slot_look(live, &id), TRUNK_SLOT_FILE);
}

TEST(any_other_byte_is_another_file)
{
	struct file_id id = id_of(ID);
	uint8_t head[TRUNK_SLOT_HEAD];

	for (size_t i = 0; i < sizeof head; i++) {
		memcpy(head, live, sizeof head);
		head[i] ^= 1;
		assert_int_equal(trunk_slot_look(head, &id), TRUNK_SLOT_OTHER);
	}
}

TEST(links_and_free_slots_are_told_apart)
{
	struct file_id id = id_of(ID);
	uint8_t head[TRUNK_SLOT_HEAD] = { 0 };

	assert_int_equal(trunk_slot_look(head, &id), TRUNK_SLOT_FREE);
	memcpy(head, live, sizeof head);
	head[0] = 'L';
	assert_int_equal(trunk_slot_look(head, &id), TRUNK_SLOT_LINK);
}

TEST(a_file_that_does_not_fit_its_slot_is_none)
{
	struct file_id id = id_of(ID);

	id.size = 256 - TRUNK_SLOT_HEAD;
	assert_true(trunk_slot_fits(&id));
	id.size++;
	assert_false(trunk_slot_fits(&id));
	id.size = 11;
	id.trunk_offset = UINT32_MAX - 100;
	assert_false(trunk_slot_fits(&id));
}
