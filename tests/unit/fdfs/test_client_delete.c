#include "core/clock.h"
#include "play.h"

enum { ACTIVE = FDFS_STATE_ACTIVE, OFFLINE = FDFS_STATE_OFFLINE, LEFT = FDFS_STATE_DELETED };

/* The storage that took the picture in, and a replica: their states, what they answer, and
 * how often each is to be asked. */
struct group {
	uint8_t source, replica;
	uint8_t source_says, replica_says;
	bool shared;    /* the engine */
	bool forgotten; /* the source, by the tracker */
	int source_asked, replica_asked;
};

/* `storage` is the source, `other` the replica. */
static struct stage stage;
static struct fdfs_deleted how;

static struct file_id taken_in_at_the_source(void)
{
	struct file_id id = play_picture_id();

	memcpy(id.source, (const uint8_t[]){ 10, 0, 0, 1 }, 4);
	assert_true(file_id_make(&id, 7));
	return id;
}

static void meet_group(const struct group *group)
{
	const char *shared = group->shared ? FDFS_SYNC_SHARED : NULL;
	const struct play_storage storages[] = {
		{ "10.0.0.2", group->replica, shared, play_start(&stage.other) },
		{ "10.0.0.1", group->source, shared, play_start(&stage.storage) },
	};

	play_storages(&stage.tracker, storages, group->forgotten ? 1 : 2);
	stage_meet(&stage, 5000);
}

static void expect_delete(enum err_code expected, struct group group)
{
	const struct file_id id = taken_in_at_the_source();
	enum err_code code;

	play_status(&stage.storage, group.source_says);
	play_status(&stage.other, group.replica_says);
	meet_group(&group);
	how = (struct fdfs_deleted){ 0 };
	code = fdfs_delete(stage.client, &id, &how, &stage.err) == 0 ? ERR_NONE : stage.err.code;
	if (code != expected)
		fail_msg("code %d: %s", code, stage.err.text);
	if (code == ERR_UNREACHABLE && group.source == OFFLINE)
		assert_non_null(strstr(stage.err.text, "10.0.0.1"));
	assert_int_equal(fake_server_requests(stage.storage.server), group.source_asked);
	assert_int_equal(fake_server_requests(stage.other.server), group.replica_asked);
	stage_down(&stage);
}

TEST(a_delete_goes_to_every_storage_of_the_group)
{
	expect_delete(
		ERR_NONE, (struct group){ ACTIVE, ACTIVE, .source_asked = 1, .replica_asked = 1 });
	assert_false(how.source_left);
}

TEST(a_replica_that_lags_behind_does_not_say_that_it_is_gone)
{
	expect_delete(ERR_NONE, (struct group){ ACTIVE, ACTIVE, .replica_says = ENOENT,
					.source_asked = 1, .replica_asked = 1 });
}

TEST(what_the_source_does_not_have_is_not_there)
{
	expect_delete(ERR_NOT_FOUND,
		(struct group){ ACTIVE, OFFLINE, .source_says = ENOENT, .source_asked = 1 });
	assert_int_equal(how.down, 1);
}

TEST(while_its_source_is_down_nothing_is_certain)
{
	expect_delete(ERR_UNREACHABLE,
		(struct group){ OFFLINE, ACTIVE, .replica_says = ENOENT, .replica_asked = 1 });
	/* The replica had it, and so may the source. */
	expect_delete(ERR_UNREACHABLE, (struct group){ OFFLINE, ACTIVE, .replica_asked = 1 });
}

TEST(once_its_source_has_left_all_others_decide)
{
	expect_delete(ERR_NOT_FOUND,
		(struct group){ LEFT, ACTIVE, .replica_says = ENOENT, .replica_asked = 1 });
	assert_true(how.source_left);
	expect_delete(ERR_NONE,
		(struct group){ .forgotten = true, .replica = ACTIVE, .replica_asked = 1 });
	assert_true(how.source_left);
}

TEST(a_storage_that_cannot_say_leaves_it_open)
{
	expect_delete(ERR_IO, (struct group){ ACTIVE, ACTIVE, .replica_says = EIO,
				      .source_asked = 1, .replica_asked = 1 });
}

TEST(where_the_engine_is_shared_any_storage_knows)
{
	expect_delete(ERR_NOT_FOUND, (struct group){ OFFLINE, ACTIVE, .shared = true,
					     .replica_says = ENOENT, .replica_asked = 1 });
	assert_int_equal(how.down, 0);
}

TEST(a_group_without_a_storage_that_is_up_says_nothing)
{
	expect_delete(ERR_UNREACHABLE, (struct group){ .forgotten = true, .replica = OFFLINE });
}

TEST(in_a_group_that_nobody_knows_there_is_nothing_and_nobody_down)
{
	const struct file_id id = taken_in_at_the_source();

	play_status(&stage.tracker, ENOENT);
	stage_meet(&stage, 5000);
	memset(&how, 0xff, sizeof how);
	assert_int_equal(fdfs_delete(stage.client, &id, &how, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_NOT_FOUND);
	assert_int_equal(how.down, 0);
	assert_false(how.source_left);
	stage_down(&stage);
}

TEST(a_delete_on_a_connection_that_was_closed_is_not_repeated)
{
	const struct group group = { ACTIVE, LEFT };
	const struct file_id id = taken_in_at_the_source();

	play_status(&stage.storage, 0);
	play_raw(&stage.storage, (struct fake_answer){ .close = true });
	play_status(&stage.storage, 0);
	meet_group(&group);
	assert_int_equal(fdfs_delete(stage.client, &id, NULL, &stage.err), 0);
	assert_int_equal(fdfs_delete(stage.client, &id, NULL, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	assert_int_equal(fake_server_requests(stage.storage.server), 2);
	stage_down(&stage);
}

TEST(a_delete_that_is_not_answered_ends_at_the_deadline)
{
	const struct file_id id = taken_in_at_the_source();
	struct play_storage source = { "10.0.0.1", ACTIVE, NULL, 0 };
	int64_t before = clock_mono_ms();

	play_raw(&stage.storage, (struct fake_answer){ .hang = true });
	source.port = play_start(&stage.storage);
	play_storages(&stage.tracker, &source, 1);
	stage_meet(&stage, 80);
	assert_int_equal(fdfs_delete(stage.client, &id, NULL, &stage.err), -1);
	assert_int_equal(stage.err.code, ERR_UNKNOWN);
	assert_true(clock_mono_ms() - before < 2000);
	stage_down(&stage);
}
