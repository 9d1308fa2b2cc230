#include "delivery/local_source.h"
#include "store_kit.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int64_t now_ms;

static int64_t clock_here(void)
{
	return now_ms;
}

/* A storage with one picture, and a source that reads it. */
struct setup {
	struct kit kit;
	struct settings *settings;
	struct local_source *local;
	struct delivery_source source;
	struct buf content;
	struct delivery_picture picture;
};

static void set_up(struct setup *setup, const char *more)
{
	char text[4096];
	struct err err = { 0 };

	kit_init(&setup->kit, 1);
	memcpy(setup->kit.conf.source, (uint8_t[]){ 10, 1, 1, 197 }, 4);
	kit_open(&setup->kit, "volume");
	snprintf(text, sizeof text,
		"[storage %s]\nadvertise = 10.1.1.197:23000\nstore_path = %s\n%s",
		setup->kit.conf.group, setup->kit.paths[0], more);
	setup->settings = settings_parse("test.conf", text, &err);
	if (setup->settings == NULL)
		fail_msg("%s", err.text);
	setup->local = local_source_new(setup->settings, clock_here);
	setup->source = local_source_entry(setup->local);
	buf_init(&setup->content, 1 << 20);
	setup->picture = (struct delivery_picture){ .content = &setup->content };
}

static void tear_down(struct setup *setup)
{
	buf_fini(&setup->content);
	local_source_free(setup->local);
	settings_free(setup->settings);
	kit_close(&setup->kit);
}

static enum delivery_holds holds(struct setup *setup, const struct file_id *id)
{
	return setup->source.holds(setup->source.context, id);
}

static enum err_code read_code(struct setup *setup, const struct file_id *id, uint64_t place_from)
{
	struct err err = { 0 };

	buf_clear(&setup->content);
	setup->picture.place.len = 0;
	if (setup->source.read(setup->source.context, id, 0, place_from, &setup->picture, &err) == 0)
		return ERR_NONE;
	assert_int_not_equal(err.code, ERR_NONE);
	return err.code;
}

TEST(knows_its_groups_and_paths)
{
	struct setup setup;
	struct file_id id, other;

	set_up(&setup, "");
	id = kit_put(&setup.kit, 1000, 1);
	assert_int_equal(holds(&setup, &id), DELIVERY_SURELY);

	other = id;
	strcpy(other.group, "other");
	assert_int_equal(holds(&setup, &other), DELIVERY_NEVER);
	other = id;
	other.path = 1;
	assert_int_equal(holds(&setup, &other), DELIVERY_NEVER);
	other = id;
	other.source[3]++; /* given out by another storage of the group */
	assert_int_equal(holds(&setup, &other), DELIVERY_PERHAPS);
	other = id;
	other.kind = FILE_ID_SLAVE; /* volumes have none */
	assert_int_equal(holds(&setup, &other), DELIVERY_NEVER);
	tear_down(&setup);
}

TEST(reads_what_the_storage_beside_it_writes)
{
	struct setup setup;
	struct file_id id;
	uint8_t *bytes = kit_bytes(20000, 2);

	set_up(&setup, "");
	for (int i = 0; i < 2; i++) { /* the second one comes while the engine is open */
		id = kit_put(&setup.kit, 20000, 2);
		assert_int_equal(read_code(&setup, &id, 0), ERR_NONE);
		assert_int_equal(setup.content.len, 20000);
		assert_memory_equal(setup.content.data, bytes, 20000);
	}
	free(bytes);
	tear_down(&setup);
}

TEST(tells_where_large_pictures_lie)
{
	struct setup setup;
	struct file_id small, large;
	uint8_t *bytes = kit_bytes(20000, 3), read[20000];
	FILE *file;

	set_up(&setup, "");
	small = kit_put(&setup.kit, 16383, 3);
	large = kit_put(&setup.kit, 20000, 3);
	assert_int_equal(read_code(&setup, &small, 16384), ERR_NONE);
	assert_int_equal(setup.content.len, 16383);
	assert_int_equal(read_code(&setup, &large, 16384), ERR_NONE);
	assert_int_equal(setup.content.len, 0);
	assert_int_equal(setup.picture.place.len, 20000);
	assert_memory_equal(setup.picture.place.start, bytes, setup.picture.place.start_len);
	assert_int_equal(setup.picture.place.start_len, ENGINE_PLACE_START);

	file = fopen(setup.picture.place.path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)setup.picture.place.offset, SEEK_SET), 0);
	assert_int_equal(fread(read, 1, sizeof read, file), sizeof read);
	assert_memory_equal(read, bytes, sizeof read);
	fclose(file);
	free(bytes);
	tear_down(&setup);
}

TEST(sees_a_deletion_at_once)
{
	struct setup setup;
	struct file_id id;

	set_up(&setup, "");
	id = kit_put(&setup.kit, 20000, 4);
	assert_int_equal(read_code(&setup, &id, 0), ERR_NONE);
	assert_int_equal(kit_remove(&setup.kit, &id), ERR_NONE);
	assert_int_equal(read_code(&setup, &id, 0), ERR_GONE);
	assert_int_equal(read_code(&setup, &id, 1), ERR_GONE);
	assert_int_equal(setup.content.len, 0);
	tear_down(&setup);
}

TEST(gives_no_damaged_bytes)
{
	struct setup setup;
	struct file_id id;

	set_up(&setup, "");
	id = kit_put(&setup.kit, 20000, 5);
	assert_int_equal(read_code(&setup, &id, 1), ERR_NONE);
	kit_flip(&setup.kit, &id, (int64_t)setup.picture.place.offset + 10000, 1);
	assert_int_equal(read_code(&setup, &id, 0), ERR_CORRUPT);
	assert_int_equal(read_code(&setup, &id, 1), ERR_CORRUPT);
	assert_int_equal(setup.content.len, 0);
	assert_int_equal(setup.picture.place.len, 0);
	tear_down(&setup);
}

TEST(waits_for_a_storage_that_is_not_there_yet)
{
	struct setup setup;
	struct file_id id;
	char folder[400], more[1000];

	snprintf(folder, sizeof folder, "%s/late", unit_scratch());
	snprintf(more, sizeof more,
		"[storage late]\nlisten = 127.0.0.1:23001\nadvertise = "
		"10.1.1.198:23001\nstore_path = %s\n",
		folder);
	set_up(&setup, more);
	id = kit_put(&setup.kit, 1000, 6);
	memcpy(id.source, (uint8_t[]){ 10, 1, 1, 198 }, 4);
	strcpy(id.group, "late");
	now_ms = 5000;
	assert_int_equal(holds(&setup, &id), DELIVERY_SURELY);
	assert_int_equal(read_code(&setup, &id, 0), ERR_IO);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(read_code(&setup, &id, 0), ERR_UNREACHABLE); /* not so soon */
	now_ms += 1000;
	assert_int_equal(read_code(&setup, &id, 0), ERR_NOT_FOUND);
	tear_down(&setup);
}

TEST(leaves_other_engines_alone)
{
	struct setup setup;
	struct file_id id;

	set_up(&setup, "engine = faulty\n");
	id = kit_put(&setup.kit, 1000, 7);
	assert_int_equal(holds(&setup, &id), DELIVERY_NEVER);
	tear_down(&setup);
}

TEST(a_storage_reads_from_its_own_engine)
{
	struct setup setup;
	struct file_id id;

	set_up(&setup, "[download]\nlocal_read = no\n");
	local_source_free(setup.local);
	setup.local = local_source_beside(
		setup.settings, &setup.settings->storages[0], setup.kit.engine, clock_here);
	setup.source = local_source_entry(setup.local);
	id = kit_put(&setup.kit, 20000, 2);
	assert_int_equal(holds(&setup, &id), DELIVERY_SURELY);
	assert_int_equal(read_code(&setup, &id, 0), ERR_NONE);
	assert_int_equal(setup.content.len, 20000);
	tear_down(&setup); /* which closes the engine, once */
}

TEST(does_not_open_or_compute_long_for_who_may_not_wait)
{
	struct setup setup;
	struct file_id small, large;
	struct err err;

	set_up(&setup, "");
	small = kit_put(&setup.kit, 100, 2);
	large = kit_put(&setup.kit, 2 << 20, 2);
	assert_int_equal(setup.source.read(setup.source.context, &small, ENGINE_NO_WAIT, 0,
				 &setup.picture, &err),
		-1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK); /* nobody has opened the volumes yet */
	assert_int_equal(read_code(&setup, &small, 0), ERR_NONE);
	buf_clear(&setup.content);
	assert_int_equal(setup.source.read(setup.source.context, &small, ENGINE_NO_WAIT, 0,
				 &setup.picture, &err),
		0);
	assert_int_equal(setup.source.read(setup.source.context, &large, ENGINE_NO_WAIT, 1,
				 &setup.picture, &err),
		-1);
	assert_int_equal(err.code, ERR_WOULD_BLOCK);
	tear_down(&setup);
}
