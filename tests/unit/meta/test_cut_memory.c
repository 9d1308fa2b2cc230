#include "meta/cut_memory.h"

#include "meta/db.h"
#include "unit.h"

#include <pthread.h>
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

	assert_int_equal(cut_memory_put(memory, key, id, 0, &stands, NULL), 0);
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
	assert_int_equal(cut_memory_put(memory, &face, "second", 0, &stands, NULL), 0);
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

static void begin(struct cut_memory *memory, const char *source, uint64_t number, int64_t time)
{
	const struct cut_key key = { .source = source, .thumb_w = 5, .thumb_h = 6 };
	const struct cut_storing storing = {
		.number = number, .group = "g01", .length = 1234, .crc = 0xfedcba98, .time = time
	};

	assert_int_equal(cut_memory_begin(memory, &key, &storing, NULL), 0);
}

static void making(struct cut_memory *memory, const char *source, int open, int in_vain)
{
	int64_t got_open = -1, got_in_vain = -1;

	assert_int_equal(cut_memory_making(memory, source, &got_open, &got_in_vain, NULL), 0);
	assert_int_equal(got_open, open);
	assert_int_equal(got_in_vain, in_vain);
}

static int pending(struct cut_memory *memory, int64_t before, bool in_vain_too)
{
	struct cut_storing list[10];

	return cut_memory_pending(memory, before, in_vain_too, list, 10, NULL);
}

TEST(a_cut_on_its_way_is_known_after_a_crash)
{
	struct cut_memory *memory = open_memory(), *other;
	struct cut_storing got[2];

	begin(memory, "cat", UINT64_MAX, 100);
	other = cut_memory_open(path, NULL); /* nothing is closed before */
	assert_int_equal(cut_memory_pending(other, 100, false, got, 2, NULL), 0);
	assert_int_equal(cut_memory_pending(other, 101, false, got, 2, NULL), 1);
	assert_true(got[0].number == UINT64_MAX && got[0].length == 1234);
	assert_true(got[0].crc == 0xfedcba98 && got[0].time == 100);
	assert_string_equal(got[0].group, "g01");
	making(other, "cat", 1, 0);
	making(other, "dog", 0, 0);
	cut_memory_close(other);
	cut_memory_close(memory);
}

TEST(what_is_put_is_on_its_way_no_more)
{
	struct cut_memory *memory = open_memory();
	struct cut_name stands;

	begin(memory, face.source, 1, 100);
	begin(memory, face.source, 2, 100);
	assert_int_equal(cut_memory_put(memory, &face, "one", 1, &stands, NULL), 0);
	making(memory, face.source, 1, 0);
	assert_int_equal(cut_memory_put(memory, &face, "two", 2, &stands, NULL), 0);
	assert_string_equal(stands.text, "one");
	making(memory, face.source, 0, 0);
	cut_memory_close(memory);
}

TEST(what_was_not_stored_is_forgotten)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;

	begin(memory, "cat", 1, 100);
	begin(memory, "cat", 2, 100);
	assert_int_equal(cut_memory_end(memory, 1, NULL), 0);
	making(memory, "cat", 1, 0);
	assert_int_equal(cut_memory_settle(memory, 2, NULL, NULL), 0);
	making(memory, "cat", 0, 0);
	assert_int_equal(made_of(memory, "cat", &list), 0);
	free(list);
	cut_memory_close(memory);
}

TEST(what_is_found_is_doomed_and_goes_with_its_source)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list;
	size_t count;

	begin(memory, "cat", 7, 100);
	assert_int_equal(cut_memory_settle(memory, 7, "found", NULL), 0);
	making(memory, "cat", 0, 0);
	assert_int_equal(made_of(memory, "cat", &list), 1);
	assert_string_equal(list[0].text, "found");
	free(list);
	assert_int_equal(cut_memory_doomed(memory, 5, &list, &count, NULL), 0);
	assert_int_equal(count, 1);
	free(list);
	cut_memory_close(memory);
}

TEST(what_was_ended_meanwhile_is_not_settled)
{
	struct cut_memory *memory = open_memory();
	struct cut_name *list, stands;

	begin(memory, face.source, 7, 100);
	assert_int_equal(cut_memory_put(memory, &face, "one", 7, &stands, NULL), 0);
	assert_int_equal(cut_memory_settle(memory, 7, "one", NULL), 0);
	assert_int_equal(made_of(memory, face.source, &list), 1); /* and not doomed besides */
	free(list);
	cut_memory_close(memory);
}

TEST(what_is_on_its_way_is_of_the_whole_family)
{
	struct cut_memory *memory = open_memory();

	put_whole(memory, "cat", 100, "cat100");
	put_whole(memory, "cat100", 10, "cat10");
	begin(memory, "cat10", 7, 100);
	making(memory, "cat", 1, 0);
	making(memory, "cat100", 1, 0);
	making(memory, "cat1", 0, 0);
	cut_memory_close(memory);
}

TEST(what_was_searched_for_in_vain_is_told_apart)
{
	struct cut_memory *memory = open_memory();

	begin(memory, "cat", 1, 100);
	begin(memory, "cat", 2, 100);
	assert_int_equal(cut_memory_in_vain(memory, 2, NULL), 0);
	making(memory, "cat", 1, 1);
	assert_int_equal(pending(memory, 200, false), 1);
	assert_int_equal(pending(memory, 200, true), 2);
	cut_memory_close(memory);
}

struct maker {
	struct cut_memory *memory;
	uint64_t from;
	int failed;
};

enum { MAKERS = 8, CUTS = 25 };

/* The last one of each cannot be begun, since all want the same number. */
static void *make_many(void *context)
{
	struct maker *maker = context;

	for (uint64_t i = 0; i <= CUTS; i++) {
		const struct cut_key key = {
			.source = "cat", .thumb_w = (int64_t)(maker->from + i), .thumb_h = 1
		};
		const struct cut_storing storing = {
			.number = i == CUTS ? 1 : maker->from + i, .group = "g01", .time = 100
		};
		struct cut_name stands;
		char id[32];

		if (cut_memory_begin(maker->memory, &key, &storing, NULL) != 0) {
			maker->failed++;
			continue;
		}
		snprintf(id, sizeof id, "cut%d", (int)key.thumb_w);
		maker->failed += i < CUTS && cut_memory_put(maker->memory, &key, id, storing.number,
						     &stands, NULL) != 0;
	}
	return NULL;
}

TEST(what_one_of_many_threads_cannot_have_is_not_refused_to_the_others)
{
	struct cut_memory *memory = open_memory();
	struct maker makers[MAKERS];
	pthread_t threads[MAKERS];
	struct cut_name *list;
	int failed = 0;

	for (int i = 0; i < MAKERS; i++) {
		makers[i] = (struct maker){ memory, (uint64_t)(i + 1) * 1000, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, make_many, &makers[i]), 0);
	}
	for (int i = 0; i < MAKERS; i++) {
		pthread_join(threads[i], NULL);
		failed += makers[i].failed;
	}
	assert_int_equal(failed, MAKERS - 1); /* one of them had the number first */
	making(memory, "cat", 1, 0);
	assert_int_equal(made_of(memory, "cat", &list), MAKERS * CUTS);
	free(list);
	cut_memory_close(memory);
}
