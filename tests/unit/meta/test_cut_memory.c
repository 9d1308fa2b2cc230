#include "meta/cut_memory.h"

#include "meta/db.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cut_key face = {
	.source = "g01/M00/00/00/cat.jpg",
	.clip_w = 100,
	.clip_h = 80,
	.start_x = -5,
	.start_y = 7,
	.thumb_w = 10,
	.thumb_h = 8,
};

static char path[512];

static struct cut_memory *open_memory(void)
{
	struct err err = { 0 };
	struct cut_memory *memory;

	snprintf(path, sizeof path, "%s/cuts/cuts.db", unit_scratch());
	memory = cut_memory_open(path, &err);
	if (memory == NULL)
		fail_msg("%s", err.text);
	return memory;
}

static void put(struct cut_memory *memory, const struct cut_key *key, const char *id)
{
	struct cut_name stands;

	assert_int_equal(cut_memory_put(memory, key, id, &stands, NULL), 0);
	assert_string_equal(stands.text, id);
}

static void put_whole(struct cut_memory *memory, const char *source, int64_t box, const char *id)
{
	put(memory, &(struct cut_key){ .source = source, .thumb_w = box, .thumb_h = box }, id);
}

TEST(remembers_what_was_made)
{
	struct cut_memory *memory = open_memory(), *other;
	struct cut_key key = face;
	struct cut_name id;

	assert_int_equal(cut_memory_get(memory, &face, &id, NULL), 0);
	put(memory, &face, "g01/M00/00/00/face.jpg");
	other = cut_memory_open(path, NULL); /* as another process would */
	assert_int_equal(cut_memory_get(other, &face, &id, NULL), 1);
	assert_string_equal(id.text, "g01/M00/00/00/face.jpg");
	key.start_x = 5;
	assert_int_equal(cut_memory_get(other, &key, &id, NULL), 0);
	key = face;
	key.source = "g01/M00/00/00/dog.jpg";
	assert_int_equal(cut_memory_get(other, &key, &id, NULL), 0);
	cut_memory_close(other);
	cut_memory_close(memory);
}

static bool lists(const struct cut_name *list, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].text, id) == 0)
			return true;
	return false;
}

static size_t made_of(struct cut_memory *memory, const char *source, struct cut_name **list)
{
	size_t count;

	assert_int_equal(cut_memory_list(memory, source, list, &count, NULL), 0);
	return count;
}

TEST(of_two_that_make_the_same_the_first_stands_and_the_second_is_doomed)
{
	struct cut_memory *memory = open_memory();
	struct cut_name stands, *list;
	size_t count;

	put(memory, &face, "first");
	assert_int_equal(cut_memory_put(memory, &face, "second", &stands, NULL), 0);
	assert_string_equal(stands.text, "first");
	assert_int_equal(cut_memory_doomed(memory, 10, &list, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_string_equal(list[0].text, "second");
	free(list);
	count = made_of(memory, face.source, &list);
	assert_true(count == 2 && lists(list, count, "first") && lists(list, count, "second"));
	free(list);
	assert_int_equal(cut_memory_removed(memory, "first", NULL), 0); /* that one stands */
	assert_int_equal(cut_memory_removed(memory, "second", NULL), 0);
	assert_int_equal(cut_memory_doomed(memory, 10, &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(cut_memory_get(memory, &face, &stands, NULL), 1);
	cut_memory_close(memory);
}

TEST(what_was_superseded_is_made_of_its_source_all_the_same)
{
	struct cut_memory *memory = open_memory();
	struct cut_name stands, *list;
	size_t count;

	put(memory, &face, "first");
	put_whole(memory, "first", 5, "first5");
	assert_int_equal(cut_memory_supersede(memory, &face, "first", NULL), 0);
	assert_int_equal(cut_memory_get(memory, &face, &stands, NULL), 0);
	put(memory, &face, "third");
	count = made_of(memory, face.source, &list);
	assert_int_equal(count, 3);
	assert_true(lists(list, count, "first") && lists(list, count, "first5") &&
		    lists(list, count, "third"));
	free(list);
	assert_int_equal(cut_memory_doomed(memory, 10, &list, &count, NULL), 0);
	assert_int_equal(count, 0); /* somebody may have been told of it */
	free(list);
	assert_int_equal(cut_memory_doom(memory, &face, "third", NULL), 0);
	assert_int_equal(cut_memory_get(memory, &face, &stands, NULL), 0);
	assert_int_equal(cut_memory_forget(memory, face.source, NULL), 0);
	count = made_of(memory, face.source, &list);
	assert_int_equal(count, 0);
	free(list);
	cut_memory_close(memory);
}

TEST(what_an_older_picstore_remembered_stands)
{
	static const char *const old[] = {
		"CREATE TABLE cuts (source TEXT NOT NULL,"
		" clip_w INTEGER NOT NULL, clip_h INTEGER NOT NULL,"
		" start_x INTEGER NOT NULL, start_y INTEGER NOT NULL,"
		" thumb_w INTEGER NOT NULL, thumb_h INTEGER NOT NULL,"
		" id TEXT NOT NULL, time INTEGER NOT NULL,"
		" PRIMARY KEY (source, clip_w, clip_h, start_x, start_y, thumb_w, thumb_h)"
		") WITHOUT ROWID;"
		"CREATE INDEX cuts_of_id ON cuts (id);"
		"INSERT INTO cuts VALUES ('g01/M00/00/00/cat.jpg', 100, 80, -5, 7, 10, 8, 'old', "
		"1)",
		NULL,
	};
	const struct db_conf conf = { .path = path, .steps = old };
	struct cut_memory *memory;
	struct cut_name id;
	struct db *db;

	snprintf(path, sizeof path, "%s/cuts.db", unit_scratch());
	db = db_open(&conf, NULL);
	assert_non_null(db);
	db_close(db);
	memory = cut_memory_open(path, NULL);
	assert_non_null(memory);
	assert_int_equal(cut_memory_get(memory, &face, &id, NULL), 1);
	assert_string_equal(id.text, "old");
	cut_memory_close(memory);
}

TEST(finds_all_that_was_made_of_a_picture_also_by_way_of_others)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;
	size_t count;

	put_whole(memory, "cat", 100, "cat100");
	put_whole(memory, "cat", 50, "cat50");
	put_whole(memory, "cat50", 10, "cat10");
	put_whole(memory, "cat10", 5, "cat5");
	put_whole(memory, "dog", 100, "dog100");
	assert_int_equal(cut_memory_list(memory, "cat", &list, &count, NULL), 0);
	assert_int_equal(count, 4);
	assert_true(lists(list, count, "cat100") && lists(list, count, "cat50") &&
		    lists(list, count, "cat10") && lists(list, count, "cat5"));
	free(list);
	assert_int_equal(cut_memory_list(memory, "mouse", &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	cut_memory_close(memory);
}

TEST(finds_what_a_picture_was_made_of)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;
	size_t count;

	put_whole(memory, "cat", 50, "cat50");
	put_whole(memory, "cat50", 10, "cat10");
	put_whole(memory, "cat10", 5, "cat5");
	assert_int_equal(cut_memory_origins(memory, "cat5", &list, &count, NULL), 0);
	assert_int_equal(count, 3);
	assert_true(lists(list, count, "cat") && lists(list, count, "cat50") &&
		    lists(list, count, "cat10"));
	free(list);
	assert_int_equal(cut_memory_origins(memory, "cat", &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	cut_memory_close(memory);
}

TEST(forgets_a_picture_and_all_that_was_made_of_it)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;
	size_t count;

	put_whole(memory, "cat", 100, "cat100");
	put_whole(memory, "cat100", 10, "cat10");
	put_whole(memory, "cat10", 1, "cat1");
	put_whole(memory, "dog", 100, "dog100");
	assert_int_equal(cut_memory_forget(memory, "cat100", NULL), 0);
	assert_int_equal(cut_memory_list(memory, "cat", &list, &count, NULL), 0);
	assert_int_equal(count, 0); /* cat100 is forgotten as one that was made, too */
	free(list);
	assert_int_equal(cut_memory_list(memory, "cat10", &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(cut_memory_list(memory, "dog", &list, &count, NULL), 0);
	assert_int_equal(count, 1);
	free(list);
	cut_memory_close(memory);
}

TEST(a_circle_is_no_trap)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;
	size_t count;

	put_whole(memory, "a", 1, "b");
	put_whole(memory, "b", 1, "a");
	assert_int_equal(cut_memory_list(memory, "a", &list, &count, NULL), 0);
	assert_int_equal(count, 2);
	free(list);
	assert_int_equal(cut_memory_forget(memory, "a", NULL), 0);
	assert_int_equal(cut_memory_list(memory, "a", &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	cut_memory_close(memory);
}
