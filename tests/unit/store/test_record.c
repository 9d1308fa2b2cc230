#include "store/record.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

static const uint8_t secret[RECORD_SECRET_LEN] = "sixteen secret b";

static struct record_key make_key(void)
{
	struct record_key key;

	assert_true(sodium_init() >= 0);
	record_key_init(&key, secret);
	return key;
}

static struct record make_record(void)
{
	struct file_id id = { .group = "g01",
		.ext = "jpg",
		.dir = 0x0102,
		.time = 1548816825,
		.size = 76375,
		.random = 77,
		.crc = 0x26464116 };
	struct record record;

	assert_true(file_id_make(&id, 123));
	record_of_picture(&record, &id);
	return record;
}

TEST(a_header_reads_back)
{
	struct record_key key = make_key();
	struct record record = make_record(), again;
	uint8_t bytes[RECORD_HEADER_LEN];
	struct file_id id;

	record_encode(&record, &key, bytes);
	assert_int_equal(record_decode(bytes, &key, 77, &again), RECORD_GOOD);
	assert_int_equal(again.kind, RECORD_PICTURE);
	assert_int_equal(again.len, 76375);
	assert_int_equal(again.crc, 0x26464116);
	assert_string_equal(again.name, record.name);
	assert_true(record_id(&again, &id));
	assert_true(record_names(&again, &id));
}

TEST(every_flipped_bit_of_a_header_shows)
{
	struct record_key key = make_key();
	struct record record = make_record(), again;
	uint8_t bytes[RECORD_HEADER_LEN];

	record_encode(&record, &key, bytes);
	for (size_t bit = 0; bit < RECORD_HEADER_LEN * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_decode(bytes, &key, 77, &again), RECORD_DAMAGED);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(a_header_of_another_volume_is_none)
{
	struct record_key key = make_key(), other;
	struct record record = make_record(), again;
	uint8_t bytes[RECORD_HEADER_LEN];

	record_key_init(&other, (const uint8_t *)"another secret..");
	record_encode(&record, &other, bytes);
	assert_int_equal(record_decode(bytes, &key, 77, &again), RECORD_NONE);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(record_decode(bytes, &key, 77, &again), RECORD_NONE);
}

TEST(a_header_in_another_place_is_not_good)
{
	struct record_key key = make_key();
	struct record record = make_record(), again;
	uint8_t bytes[RECORD_HEADER_LEN];

	record_encode(&record, &key, bytes);
	assert_int_equal(record_decode(bytes, &key, 78, &again), RECORD_DAMAGED);
}

TEST(room_is_header_content_and_end_mark)
{
	assert_int_equal(record_room(0), 1);
	assert_int_equal(record_room(368), 1);
	assert_int_equal(record_room(369), 2);
	assert_int_equal(record_room(368 + 512), 2);
	assert_int_equal(record_room(UINT32_MAX), (uint64_t)8388608 + 1);
}

TEST(an_end_mark_belongs_to_its_record)
{
	struct record_key key = make_key();
	struct record record = make_record(), other = record;
	uint8_t mark[RECORD_END_LEN];

	other.spot++;
	record_end_encode(&record, &key, mark);
	assert_true(record_end_ok(&record, &key, mark));
	assert_false(record_end_ok(&other, &key, mark));
	memset(mark, 0, sizeof mark);
	assert_false(record_end_ok(&record, &key, mark));
}

TEST(a_head_reads_back_and_every_flipped_bit_shows)
{
	struct volume_head head = {
		.number = 0xabcd, .path = 3, .group = "sixteen890123456", .created = 1548816825
	};
	uint8_t bytes[VOLUME_HEAD_LEN];
	struct volume_head again;

	memcpy(head.secret, secret, sizeof secret);
	volume_head_encode(&head, bytes);
	assert_true(volume_head_decode(bytes, &again));
	assert_int_equal(again.number, 0xabcd);
	assert_int_equal(again.path, 3);
	assert_string_equal(again.group, head.group);
	assert_int_equal(again.created, head.created);
	for (size_t bit = 0; bit < VOLUME_HEAD_LEN * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(volume_head_decode(bytes, &again));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
