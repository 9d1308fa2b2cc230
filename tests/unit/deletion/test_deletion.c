#include "deletion/deletion.h"
#include "fake_server.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define PICTURE "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
#define CUT     "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY7680001"

#define ANSWER(text)                                                                               \
	{                                                                                          \
		.data = text, .len = sizeof(text) - 1                                              \
	}
#define PURGED ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
#define GONE   ANSWER("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")

static size_t whole(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

/* A store that nobody answers for, and one cache. */
struct kit {
	struct fake_server *cache;
	char *caches[1];
	struct conf_list list;
	struct deletion_pause pause;
	struct deletion_tools tools;
	struct deletion deletion;
	int found, late; /* calls, places */
	bool list_fails;
};

static int note_found(void *context, struct deletion *deletion, size_t from, struct err *err)
{
	struct kit *kit = context;

	(void)err;
	kit->found++;
	kit->late += (int)(deletion->count - from);
	for (size_t i = from; i < deletion->count; i++)
		assert_int_equal(deletion->places[i].confirmed, 0); /* not touched yet */
	return 0;
}

static void start(struct kit *kit, const struct fake_answer *answers, size_t count)
{
	static char tracker[] = "127.0.0.1:1";
	char *const trackers[] = { tracker };
	const struct fdfs_client_conf conf = {
		.trackers = trackers,
		.tracker_count = 1,
		.connect_timeout_ms = 1000,
		.network_timeout_ms = 1000,
		.max_file_size = 1000,
		.idle_connections = 1,
	};
	struct file_id id;

	*kit = (struct kit){ 0 };
	kit->cache = fake_server_start(whole, answers, count);
	kit->caches[0] = strdup(fake_server_address(kit->cache));
	kit->list = (struct conf_list){ kit->caches, 1 };
	kit->tools = (struct deletion_tools){
		.client = fdfs_client_new(&conf, NULL),
		.web = web_new(),
		.caches = &kit->list,
		.pauses = &kit->pause,
		.purge_timeout_ms = 2000,
		.found = note_found,
		.found_context = kit,
	};
	assert_non_null(kit->tools.client);
	assert_true(file_id_parse(span_str(PICTURE), &id));
	deletion_init(&kit->deletion, &id);
}

static int stop(struct kit *kit)
{
	int requests = fake_server_requests(kit->cache);

	fake_server_stop(kit->cache);
	fdfs_client_free(kit->tools.client);
	web_free(kit->tools.web);
	deletion_fini(&kit->deletion);
	free(kit->caches[0]);
	return requests;
}

/* As if the store had said so in an earlier run. */
static void deleted_in_store(struct kit *kit, const char *picture)
{
	deletion_add(&kit->deletion, picture, "")->confirmed = 1;
}

static int list(void *context, const struct file_id *source,
	void (*found)(void *found_context, const struct file_id *id), void *found_context,
	struct err *err)
{
	const struct kit *kit = context;
	struct file_id id;

	assert_true(source->group[0] != '\0');
	if (kit->list_fails)
		return err_set(err, ERR_CORRUPT, "the list is damaged");
	assert_true(file_id_parse(span_str(CUT), &id));
	found(found_context, &id);
	return 0;
}

TEST(a_cache_is_not_touched_before_the_store_has_deleted)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	assert_int_equal(deletion_add_known(&kit.deletion, &kit.tools, &err), 0);
	assert_int_equal(kit.deletion.count, 2);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE); /* the store's reason comes first */
	assert_int_equal(stop(&kit), 0);
}

TEST(what_is_confirmed_is_passed_over_and_the_rest_done)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_string_equal(kit.deletion.places[1].outcome, "purged, answers 410");
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_int_equal(stop(&kit), 2);
}

TEST(what_is_made_meanwhile_is_noted_before_it_is_touched)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct derived derived = { .list = list };
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	deleted_in_store(&kit, PICTURE);
	derived.context = &kit;
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	kit.tools.derived = &derived; /* it was made just now */
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(kit.found, 1);
	assert_int_equal(kit.late, 2);
	assert_int_equal(err.code, ERR_UNREACHABLE); /* the store has it still */
	assert_non_null(deletion_find(&kit.deletion, CUT, ""));
	stop(&kit);
}

static enum err_code slaves_fail;

static int slaves(struct fdfs_client *client, const struct file_id *id,
	void (*found)(void *context, const struct file_id *slave), void *context, struct err *err)
{
	struct file_id slave;

	assert_non_null(client);
	if (slaves_fail != ERR_NONE)
		return err_set(err, slaves_fail, "no list");
	assert_true(file_id_slave(id, "_1", "png", &slave));
	found(context, &slave);
	return 0;
}

TEST(slave_files_are_deleted_when_their_master_is)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	kit.tools.slaves = slaves;
	slaves_fail = ERR_NONE;
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_int_equal(kit.deletion.count, 2);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE); /* the store has the slave still */
	assert_int_equal(kit.found, 1);
	assert_int_equal(kit.late, 2);
	stop(&kit);
}

TEST(a_deletion_is_not_done_before_its_slave_files_are_known)
{
	static const struct {
		enum err_code code;
		int result;
	} cases[] = { { ERR_UNREACHABLE, -1 }, { ERR_NOT_FOUND, 0 }, { ERR_UNSUPPORTED, 0 } };
	static const struct fake_answer answers[] = { PURGED, GONE };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err = { 0 };
		struct kit kit;

		start(&kit, answers, 2);
		kit.tools.slaves = slaves;
		slaves_fail = cases[i].code;
		deleted_in_store(&kit, PICTURE);
		deletion_add_known(&kit.deletion, &kit.tools, &err);
		assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), cases[i].result);
		if (cases[i].result != 0)
			assert_int_equal(err.code, cases[i].code);
		stop(&kit);
	}
}

TEST(nothing_is_begun_when_nobody_knows_what_was_made)
{
	struct derived derived = { .list = list };
	struct err err = { 0 };
	struct kit kit;

	start(&kit, NULL, 0);
	kit.list_fails = true;
	derived.context = &kit;
	kit.tools.derived = &derived;
	assert_int_equal(deletion_add_known(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	stop(&kit);
}

TEST(a_cache_that_left_the_configuration_is_neither_confirmed_nor_waited_for)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct deletion_place *place;
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	deleted_in_store(&kit, PICTURE);
	place = deletion_add(&kit.deletion, PICTURE, kit.caches[0]);
	kit.list.count = 0;
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_int_equal(place->confirmed, 0);
	assert_true(place->left != 0);
	assert_non_null(strstr(place->err.text, "configuration"));
	kit.list.count = 1; /* it is back */
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_true(place->confirmed != 0);
	assert_int_equal(place->left, 0);
	assert_int_equal(stop(&kit), 2);
}

TEST(nor_is_the_metadata_when_it_is_kept_no_more)
{
	struct deletion_place *place;
	struct err err = { 0 };
	struct kit kit;

	start(&kit, NULL, 0);
	deleted_in_store(&kit, PICTURE);
	place = deletion_add(&kit.deletion, PICTURE, DELETION_METADATA);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_int_equal(place->confirmed, 0);
	assert_true(place->left != 0);
	stop(&kit);
}

TEST(a_cache_that_did_not_answer_is_left_alone_for_a_moment)
{
	struct err err = { 0 };
	struct kit kit;

	start(&kit, NULL, 0);
	free(kit.caches[0]);
	kit.caches[0] = strdup("127.0.0.1:1");
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_null(strstr(err.text, "a moment ago"));
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_non_null(strstr(err.text, "a moment ago"));
	stop(&kit);
}

struct unknown {
	int64_t open, in_vain;
	int asked, forgotten;
};

static int list_none(void *context, const struct file_id *source,
	void (*found)(void *found_context, const struct file_id *id), void *found_context,
	struct err *err)
{
	(void)context, (void)source, (void)found, (void)found_context, (void)err;
	return 0;
}

static int making(void *context, const struct file_id *source, int64_t *open, int64_t *in_vain,
	struct err *err)
{
	struct unknown *unknown = context;

	(void)source, (void)err;
	unknown->asked++;
	*open = unknown->open;
	*in_vain = unknown->in_vain;
	return 0;
}

static int forget(void *context, const struct file_id *source, struct err *err)
{
	struct unknown *unknown = context;

	(void)source, (void)err;
	unknown->forgotten++;
	return 0;
}

TEST(a_cut_that_may_exist_is_outstanding_until_it_is_known)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct unknown unknown = { .open = 1 };
	const struct derived derived = {
		.list = list_none, .making = making, .forget = forget, .context = &unknown
	};
	const struct deletion_place *place;
	struct err err = { 0 };
	struct kit kit;
	int asked;

	start(&kit, answers, 2);
	kit.tools.derived = &derived;
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_null(deletion_find(&kit.deletion, PICTURE, DELETION_CUTS));
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(kit.late, 1); /* it is noted like any other place */
	assert_false(deletion_store_done(&kit.deletion));
	place = deletion_find(&kit.deletion, PICTURE, DELETION_CUTS);
	assert_int_equal(place->confirmed, 0);
	assert_int_equal(place->left, 0);
	asked = unknown.asked;
	assert_true(asked > 1); /* a moment later it might have been known */
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), -1);
	assert_int_equal(unknown.asked, asked + 1); /* but nobody waits for it again */
	assert_int_equal(unknown.forgotten, 0);
	unknown.open = 0;
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	place = deletion_find(&kit.deletion, PICTURE, DELETION_CUTS);
	assert_true(place->confirmed != 0);
	assert_true(deletion_store_done(&kit.deletion));
	assert_int_equal(unknown.forgotten, 1);
	assert_int_equal(stop(&kit), 2);
}

TEST(one_that_was_searched_for_in_vain_is_neither_confirmed_nor_waited_for)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct unknown unknown = { .in_vain = 1 };
	const struct derived derived = {
		.list = list_none, .making = making, .forget = forget, .context = &unknown
	};
	const struct deletion_place *place;
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	kit.tools.derived = &derived;
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	place = deletion_find(&kit.deletion, PICTURE, DELETION_CUTS);
	assert_int_equal(place->confirmed, 0);
	assert_true(place->left != 0);
	assert_true(place->err.text[0] != '\0');
	assert_int_equal(unknown.forgotten, 0); /* what tells whose it is, is kept */
	stop(&kit);
}

TEST(a_deletion_during_which_nothing_is_made_has_no_such_place)
{
	static const struct fake_answer answers[] = { PURGED, GONE };
	struct unknown unknown = { 0 };
	const struct derived derived = {
		.list = list_none, .making = making, .forget = forget, .context = &unknown
	};
	struct err err = { 0 };
	struct kit kit;

	start(&kit, answers, 2);
	kit.tools.derived = &derived;
	deleted_in_store(&kit, PICTURE);
	deletion_add_known(&kit.deletion, &kit.tools, &err);
	assert_int_equal(deletion_run(&kit.deletion, &kit.tools, &err), 0);
	assert_null(deletion_find(&kit.deletion, PICTURE, DELETION_CUTS));
	assert_int_equal(unknown.asked, 1);
	assert_int_equal(unknown.forgotten, 1);
	stop(&kit);
}
