#include "image/picture_mark.h"
#include "meta/db.h"
#include "programs/cut_svr/cut_shop.h"
#include "unit.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAT "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"

enum { PICTURES_MAX = 64 };

/* A store whose pictures are ids and nothing else. */
static struct {
	pthread_mutex_t lock;
	struct file_id pictures[PICTURES_MAX];
	size_t count;
	unsigned cuts, uploads, downloads;
	bool source_goes;                /* while a cut is being uploaded */
	bool source_goes_early;          /* while it is being made */
	unsigned lost;                   /* answers to uploads from now on */
	enum err_code upload_fails;      /* without storing */
	int64_t known;                   /* to the memory as being stored, at the last upload */
	char sent[2][64];                /* the last two uploads */
	bool remove_fails, memory_fails; /* the latter at a put */
	const char *hidden; /* a picture that the storage that is asked has not got yet, or NULL */
	enum err_code cut_fails, stat_fails;
	pthread_barrier_t *meet; /* in a cut, or NULL */
	const char *rival;       /* that another process makes during a cut, or NULL */
	struct cut_memory *memory;
	struct cut_shop *shop;
	char path[512];
} world = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int find(const struct file_id *id)
{
	for (size_t i = 0; i < world.count; i++)
		if (file_id_equal(&world.pictures[i], id))
			return (int)i;
	return -1;
}

static struct file_id id_of(const char *text)
{
	struct file_id id;

	assert_true(file_id_parse(span_str(text), &id));
	return id;
}

static void lose(const char *text)
{
	struct file_id id = id_of(text);
	int at = find(&id);

	assert_true(at >= 0);
	world.pictures[at] = world.pictures[--world.count];
}

static int stat_picture(void *context, const struct file_id *id, struct err *err)
{
	int at;

	(void)context;
	if (world.hidden != NULL) {
		const struct file_id hidden = id_of(world.hidden);

		if (file_id_equal(&hidden, id))
			return err_set(err, ERR_NOT_FOUND, "it is not here");
	}
	if (world.stat_fails != ERR_NONE)
		return err_set(err, world.stat_fails, "stat fails");
	pthread_mutex_lock(&world.lock);
	at = find(id);
	pthread_mutex_unlock(&world.lock);
	return at >= 0 ? 0 : err_set(err, ERR_GONE, "it is gone");
}

static int download(void *context, const struct file_id *id, struct buf *picture, struct err *err)
{
	if (stat_picture(context, id, err) < 0)
		return -1;
	world.downloads++;
	buf_put_str(picture, "pixels");
	return 0;
}

static int64_t being_stored(void)
{
	int64_t open, in_vain;

	assert(cut_memory_making(world.memory, CAT, &open, &in_vain, NULL) == 0);
	return open;
}

static int upload(void *context, const char *group, struct span picture, const char *ext,
	struct file_id *id, struct err *err)
{
	struct file_id made = { .crc = 7, .size = picture.len, .time = 1700000000 };

	(void)context;
	world.known = being_stored();
	if (world.upload_fails != ERR_NONE)
		return err_set(err, world.upload_fails, "upload fails");
	pthread_mutex_lock(&world.lock);
	assert(picture.len < sizeof world.sent[0]);
	memcpy(world.sent[0], world.sent[1], sizeof world.sent[0]);
	memcpy(world.sent[1], picture.data, picture.len);
	made.random = ++world.uploads;
	snprintf(made.group, sizeof made.group, "%s", group);
	snprintf(made.ext, sizeof made.ext, "%s", ext);
	assert(file_id_make(&made, world.uploads));
	assert(world.count < PICTURES_MAX);
	world.pictures[world.count++] = *id = made;
	if (world.source_goes)
		lose(CAT);
	pthread_mutex_unlock(&world.lock);
	if (world.lost > 0) {
		world.lost--;
		return err_set(err, ERR_UNKNOWN, "the answer is lost");
	}
	return 0;
}

static int remove_picture(void *context, const struct file_id *id, struct err *err)
{
	char text[FILE_ID_TEXT_MAX + 1];

	(void)context;
	if (world.remove_fails)
		return err_set(err, ERR_UNREACHABLE, "remove fails");
	file_id_format(id, text);
	pthread_mutex_lock(&world.lock);
	lose(text);
	pthread_mutex_unlock(&world.lock);
	return 0;
}

/* No row is taken any more, as when the disk is full. */
static void break_memory(void)
{
	static const char *const taken[] = { "SELECT 1", "SELECT 1", "SELECT 1",
		NULL }; /* by the memory */
	const struct db_conf conf = { .path = world.path, .steps = taken };
	struct db *db = db_open(&conf, NULL);

	assert(db != NULL);
	assert(db_exec(db,
		       "CREATE TRIGGER full BEFORE INSERT ON made"
		       " BEGIN SELECT RAISE(ABORT, 'full'); END",
		       NULL) == 0);
	db_close(db);
}

static int cut(void *context, struct span picture, const struct cut_wish *wish, struct buf *result,
	struct picture_facts *made, struct err *err)
{
	(void)context;
	(void)picture;
	if (world.cut_fails != ERR_NONE)
		return err_set(err, world.cut_fails, "cut fails");
	if (world.meet != NULL)
		pthread_barrier_wait(world.meet);
	if (world.rival != NULL) {
		struct cut_key key = { CAT, 10, 10, -3, 4, 5, 5 };
		struct cut_name stands;

		assert(cut_memory_put(world.memory, &key, world.rival, 0, &stands, err) == 0);
	}
	if (world.memory_fails)
		break_memory();
	if (world.source_goes_early)
		lose(CAT);
	world.cuts++;
	buf_put_str(result, "\xff\xd8\xff\xd9");
	*made = (struct picture_facts){ PICTURE_JPEG, wish->thumb_w, wish->thumb_h, 1 };
	return 0;
}

static struct cut_shop *new_shop(void)
{
	return cut_shop_new(&(struct cut_tools){
		.stat = stat_picture,
		.download = download,
		.upload = upload,
		.remove = remove_picture,
		.cut = cut,
		.memory = world.memory,
		.max_bytes = 100,
		.max_result = 100,
	});
}

static void begin(void)
{
	struct err err = { 0 };

	world.count = world.cuts = world.uploads = world.downloads = 0;
	world.source_goes_early = false;
	world.lost = 0;
	world.upload_fails = ERR_NONE;
	world.known = 0;
	world.source_goes = world.remove_fails = world.memory_fails = false;
	world.hidden = NULL;
	world.cut_fails = world.stat_fails = ERR_NONE;
	world.meet = NULL;
	world.rival = NULL;
	snprintf(world.path, sizeof world.path, "%s/cuts.db", unit_scratch());
	world.memory = cut_memory_open(world.path, &err);
	if (world.memory == NULL)
		fail_msg("%s", err.text);
	world.shop = new_shop();
	world.pictures[world.count++] = id_of(CAT);
}

static void end(void)
{
	cut_shop_free(world.shop);
	cut_memory_close(world.memory);
}

static struct package_cut face(void)
{
	struct package_cut wanted = { .hostid = 1,
		.clip_w = 10,
		.clip_h = 10,
		.start_x = -3,
		.start_y = 4,
		.thumb_w = 5,
		.thumb_h = 5 };

	snprintf(wanted.url.text, sizeof wanted.url.text, "%s", CAT);
	return wanted;
}

static struct package_url serve(struct package_cut wanted, enum cut_way way)
{
	struct package_url url = { "" };
	struct err err = { 0 };
	enum cut_way got = cut_shop_serve(world.shop, &wanted, &url, &err);

	if (got != way)
		fail_msg("way %d: %s", got, err.text);
	return url;
}

static enum err_code code_of(struct package_cut wanted)
{
	struct package_url url;
	struct err err = { 0 };

	assert_int_equal(cut_shop_serve(world.shop, &wanted, &url, &err), CUT_FAILED);
	assert_true(err.text[0] != '\0');
	return err.code;
}

TEST(the_same_cut_is_made_once)
{
	struct package_url first, second;

	begin();
	first = serve(face(), CUT_MADE);
	second = serve(face(), CUT_REMEMBERED);
	assert_string_equal(first.text, second.text);
	assert_true(strncmp(first.text, "g01/", 4) == 0);
	assert_non_null(strstr(first.text, ".jpg"));
	assert_int_equal(world.cuts, 1);
	end();
}

TEST(another_rectangle_is_another_picture)
{
	struct package_cut other = face();
	struct package_url first, second;

	begin();
	other.start_x = 3;
	first = serve(face(), CUT_MADE);
	second = serve(other, CUT_MADE);
	assert_string_not_equal(first.text, second.text);
	end();
}

TEST(without_a_rectangle_its_place_means_nothing)
{
	struct package_cut one = face(), other = face();

	begin();
	one.clip_w = 0;
	other.clip_h = 0;
	other.start_x = 100;
	serve(one, CUT_MADE);
	serve(other, CUT_REMEMBERED);
	end();
}

TEST(a_cut_that_is_gone_from_the_store_is_made_again)
{
	struct package_url first, second;

	begin();
	first = serve(face(), CUT_MADE);
	lose(first.text);
	second = serve(face(), CUT_MADE);
	assert_string_not_equal(first.text, second.text);
	assert_string_equal(serve(face(), CUT_REMEMBERED).text, second.text);
	end();
}

static size_t made_of_cat(void)
{
	struct cut_name *list;
	size_t count;

	assert_int_equal(cut_memory_list(world.memory, CAT, &list, &count, NULL), 0);
	free(list);
	return count;
}

TEST(a_cut_that_a_storage_has_not_got_yet_still_goes_with_its_source)
{
	struct package_url first, second;

	begin();
	first = serve(face(), CUT_MADE);
	world.hidden = first.text;
	second = serve(face(), CUT_MADE);
	assert_string_not_equal(first.text, second.text);
	assert_int_equal(made_of_cat(), 2);
	world.hidden = NULL;
	assert_string_equal(serve(face(), CUT_REMEMBERED).text, second.text);
	cut_shop_clean(world.shop);
	assert_int_equal(world.count, 3); /* somebody has the id of the first */
	end();
}

TEST(a_cut_that_cannot_be_removed_is_removed_later)
{
	begin();
	world.source_goes_early = false;
	world.lost = 0;
	world.upload_fails = ERR_NONE;
	world.known = 0;
	world.source_goes = world.remove_fails = true;
	assert_int_equal(code_of(face()), ERR_GONE);
	cut_shop_clean(world.shop);
	assert_int_equal(world.count, 1);
	assert_int_equal(made_of_cat(), 1); /* who deletes the source again finds it */
	world.remove_fails = false;
	cut_shop_clean(world.shop);
	assert_int_equal(world.count, 0);
	assert_int_equal(made_of_cat(), 0);
	end();
}

TEST(a_cut_that_can_neither_be_remembered_nor_removed_is_still_to_be_searched_for)
{
	begin();
	world.memory_fails = world.remove_fails = true;
	assert_int_not_equal(code_of(face()), ERR_GONE);
	assert_int_equal(world.count, 2);
	assert_int_equal(being_stored(), 1);
	end();
}

TEST(one_that_cannot_be_remembered_is_removed_and_not_searched_for)
{
	begin();
	world.memory_fails = true;
	assert_int_not_equal(code_of(face()), ERR_GONE);
	assert_int_equal(world.count, 1);
	assert_int_equal(being_stored(), 0);
	end();
}

TEST(the_memory_knows_of_a_cut_before_the_store_does)
{
	begin();
	serve(face(), CUT_MADE);
	assert_int_equal(world.known, 1);
	assert_int_equal(being_stored(), 0);
	end();
}

TEST(a_lost_answer_leaves_a_cut_to_be_searched_for_and_another_one_stands)
{
	struct cut_storing lost;

	begin();
	world.lost = 1;
	serve(face(), CUT_MADE);
	assert_int_equal(world.uploads, 2);
	assert_int_equal(world.known, 2);
	assert_int_equal(cut_memory_pending(world.memory, INT64_MAX, false, &lost, 1, NULL), 1);
	assert_string_equal(lost.group, "g01");
	/* It can be told from the one that stands, of which somebody has the bytes. */
	assert_true(picture_has_mark(span_of(world.sent[0], lost.length), lost.number));
	assert_false(picture_has_mark(span_of(world.sent[1], lost.length), lost.number));
	end();
}

TEST(nobody_waits_for_a_store_that_loses_every_answer)
{
	begin();
	world.lost = 100;
	assert_int_equal(code_of(face()), ERR_UNKNOWN);
	assert_int_equal(world.uploads, 2);
	assert_int_equal(being_stored(), 2);
	end();
}

TEST(what_was_not_stored_for_sure_is_not_searched_for)
{
	static const enum err_code sure[] = { ERR_UNREACHABLE, ERR_TIMEOUT, ERR_FULL, ERR_BUSY };

	begin();
	for (size_t i = 0; i < sizeof sure / sizeof sure[0]; i++) {
		world.upload_fails = sure[i];
		assert_int_equal(code_of(face()), sure[i]);
		assert_int_equal(world.known, 1);
		assert_int_equal(being_stored(), 0);
	}
	world.upload_fails = ERR_IO;
	assert_int_equal(code_of(face()), ERR_IO);
	assert_int_equal(being_stored(), 1);
	end();
}

TEST(nothing_is_stored_of_a_source_that_went_while_it_was_cut)
{
	begin();
	world.source_goes_early = true;
	assert_int_equal(code_of(face()), ERR_GONE);
	assert_int_equal(world.uploads, 0);
	assert_int_equal(being_stored(), 0);
	end();
}

TEST(a_store_that_does_not_answer_is_no_reason_to_make_it_again)
{
	begin();
	serve(face(), CUT_MADE);
	world.stat_fails = ERR_UNREACHABLE;
	assert_int_equal(code_of(face()), ERR_UNREACHABLE);
	world.stat_fails = ERR_NONE;
	serve(face(), CUT_REMEMBERED);
	assert_int_equal(world.cuts, 1);
	end();
}

TEST(no_cut_of_a_deleted_picture_is_given_out)
{
	begin();
	serve(face(), CUT_MADE);
	lose(CAT);
	assert_int_equal(code_of(face()), ERR_GONE);
	end();
}

TEST(a_source_deleted_meanwhile_leaves_nothing_behind)
{
	struct cut_name *list;
	size_t count;

	begin();
	world.source_goes = true;
	assert_int_equal(code_of(face()), ERR_GONE);
	assert_int_equal(world.count, 0);
	assert_int_equal(cut_memory_list(world.memory, CAT, &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	end();
}

TEST(nor_does_one_that_the_source_was_made_of)
{
	struct package_cut again = face();
	struct package_url made;

	begin();
	made = serve(face(), CUT_MADE);
	snprintf(again.url.text, sizeof again.url.text, "%s", made.text);
	world.source_goes = true; /* the first of all, while a cut of the cut is made */
	assert_int_equal(code_of(again), ERR_GONE);
	assert_int_equal(world.count, 1); /* the cut, which who deletes its source knows of */
	world.source_goes = false;
	assert_int_equal(code_of(face()), ERR_GONE);
	end();
}

TEST(nonsense_is_refused_before_anything_is_asked)
{
	struct package_cut wanted = face();

	begin();
	wanted.thumb_w = 0;
	assert_int_equal(code_of(wanted), ERR_BAD_REQUEST);
	wanted = face();
	wanted.thumb_h = 0;
	wanted.clip_w = 0;
	assert_int_equal(code_of(wanted), ERR_BAD_REQUEST);
	wanted = face();
	wanted.url.text[5] = '/';
	assert_int_equal(code_of(wanted), ERR_BAD_ID);
	assert_int_equal(world.downloads, 0);
	end();
}

TEST(what_fails_is_tried_anew_the_next_time)
{
	begin();
	world.cut_fails = ERR_TRUNCATED;
	assert_int_equal(code_of(face()), ERR_TRUNCATED);
	world.cut_fails = ERR_NONE;
	serve(face(), CUT_MADE);
	end();
}

static void *serve_face(void *way)
{
	struct package_url url;
	struct package_cut wanted = face();
	struct err err;

	*(enum cut_way *)way = cut_shop_serve(world.shop, &wanted, &url, &err);
	return NULL;
}

TEST(many_at_once_share_one_cut)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	enum cut_way ways[THREADS];
	pthread_barrier_t meet;
	unsigned made = 0;

	begin();
	pthread_barrier_init(&meet, NULL, 2);
	world.meet = &meet;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, serve_face, &ways[i]), 0);
	pthread_barrier_wait(&meet); /* one is in the middle of it; a second would hang */
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_not_equal(ways[i], CUT_FAILED);
		made += ways[i] == CUT_MADE;
	}
	pthread_barrier_destroy(&meet);
	assert_int_equal(made, 1);
	assert_int_equal(world.cuts, 1);
	end();
}

TEST(of_two_processes_the_first_one_stands)
{
	struct file_id other = id_of(CAT);
	char text[FILE_ID_TEXT_MAX + 1];

	begin();
	other.random ^= 1;
	assert_true(file_id_make(&other, 999));
	file_id_format(&other, text);
	world.pictures[world.count++] = other;
	world.rival = text;
	assert_string_equal(serve(face(), CUT_MADE).text, text);
	assert_string_equal(serve(face(), CUT_REMEMBERED).text, text);
	assert_int_equal(world.count, 2); /* what was made in vain is not left */
	end();
}
