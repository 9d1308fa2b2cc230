#include "core/clock.h"
#include "play.h"

#include <errno.h>

enum { ACTIVE = FDFS_STATE_ACTIVE, OFFLINE = FDFS_STATE_OFFLINE, LEFT = FDFS_STATE_DELETED };

/* A group of the storage that took the picture in and a replica, and their tracker. */
struct group {
	struct play tracker, source, replica;
	uint8_t source_state, replica_state;
	bool shared, forgotten; /* the engine; the source */
	struct fdfs_client *client;
	struct fdfs_deleted how;
	struct err err;
};

static struct file_id taken_in_at_the_source(void)
{
	struct file_id id = picture_id();

	memcpy(id.source, (const uint8_t[]){ 10, 0, 0, 1 }, 4);
	assert_true(file_id_make(&id, 7));
	return id;
}

static void delete_from(struct group *group, enum err_code expected)
{
	const struct file_id id = taken_in_at_the_source();
	const char *shared = group->shared ? FDFS_SYNC_SHARED : NULL;
	enum err_code code;

	start(&group->source);
	start(&group->replica);
	add_storages(&group->tracker,
		(const struct play_storage[]){
			{ "10.0.0.2", group->replica_state, shared,
				fake_server_port(group->replica.server) },
			{ "10.0.0.1", group->source_state, shared,
				fake_server_port(group->source.server) },
		},
		group->forgotten ? 1 : 2);
	start(&group->tracker);
	group->client = client_of(fake_server_address(group->tracker.server), NULL, 5000);
	code = fdfs_delete(group->client, &id, &group->how, &group->err) == 0 ? ERR_NONE
									      : group->err.code;
	if (code != expected)
		fail_msg("code %d: %s", code, group->err.text);
}

static void end_group(struct group *group, int source_asked, int replica_asked)
{
	assert_int_equal(fake_server_requests(group->source.server), source_asked);
	assert_int_equal(fake_server_requests(group->replica.server), replica_asked);
	fdfs_client_free(group->client);
	end(&group->tracker);
	end(&group->source);
	end(&group->replica);
}

TEST(a_delete_goes_to_every_storage_of_the_group)
{
	struct group group = { .source_state = ACTIVE, .replica_state = ACTIVE };

	add(&group.source, 0, NULL);
	add(&group.replica, 0, NULL);
	delete_from(&group, ERR_NONE);
	assert_false(group.how.source_left);
	end_group(&group, 1, 1);
}

TEST(a_replica_that_lags_behind_does_not_say_that_it_is_gone)
{
	struct group group = { .source_state = ACTIVE, .replica_state = ACTIVE };

	add(&group.source, 0, NULL);
	add(&group.replica, ENOENT, NULL);
	delete_from(&group, ERR_NONE);
	end_group(&group, 1, 1);
}

TEST(what_the_source_does_not_have_is_not_there)
{
	struct group group = { .source_state = ACTIVE, .replica_state = OFFLINE };

	add(&group.source, ENOENT, NULL);
	add(&group.replica, 0, NULL);
	delete_from(&group, ERR_NOT_FOUND);
	assert_int_equal(group.how.down, 1);
	end_group(&group, 1, 0);
}

TEST(while_its_source_is_down_nothing_is_certain)
{
	struct group group = { .source_state = OFFLINE, .replica_state = ACTIVE };

	add(&group.source, 0, NULL);
	add(&group.replica, ENOENT, NULL);
	delete_from(&group, ERR_UNREACHABLE);
	assert_non_null(strstr(group.err.text, "10.0.0.1"));
	end_group(&group, 0, 1);
	group = (struct group){ .source_state = OFFLINE, .replica_state = ACTIVE };
	add(&group.source, 0, NULL);
	add(&group.replica, 0, NULL); /* it had it, and so may the source */
	delete_from(&group, ERR_UNREACHABLE);
	end_group(&group, 0, 1);
}

TEST(once_its_source_has_left_all_others_decide)
{
	struct group group = { .source_state = LEFT, .replica_state = ACTIVE };

	add(&group.source, 0, NULL);
	add(&group.replica, ENOENT, NULL);
	delete_from(&group, ERR_NOT_FOUND);
	assert_true(group.how.source_left);
	end_group(&group, 0, 1);
	group = (struct group){ .forgotten = true, .replica_state = ACTIVE };
	add(&group.source, 0, NULL);
	add(&group.replica, 0, NULL);
	delete_from(&group, ERR_NONE);
	assert_true(group.how.source_left);
	end_group(&group, 0, 1);
}

TEST(a_storage_that_cannot_say_leaves_it_open)
{
	struct group group = { .source_state = ACTIVE, .replica_state = ACTIVE };

	add(&group.source, 0, NULL);
	add(&group.replica, EIO, NULL);
	delete_from(&group, ERR_IO);
	end_group(&group, 1, 1);
}

TEST(where_the_engine_is_shared_any_storage_knows)
{
	struct group group = { .source_state = OFFLINE, .replica_state = ACTIVE, .shared = true };

	add(&group.source, 0, NULL);
	add(&group.replica, ENOENT, NULL);
	delete_from(&group, ERR_NOT_FOUND);
	assert_int_equal(group.how.down, 0);
	end_group(&group, 0, 1);
}

TEST(a_group_without_a_storage_that_is_up_says_nothing)
{
	struct group group = { .forgotten = true, .replica_state = OFFLINE };

	add(&group.source, 0, NULL);
	add(&group.replica, 0, NULL);
	delete_from(&group, ERR_UNREACHABLE);
	end_group(&group, 0, 0);
}

TEST(a_delete_on_a_connection_that_was_closed_is_not_repeated)
{
	struct group group = { .source_state = ACTIVE, .forgotten = false, .replica_state = LEFT };
	const struct file_id id = taken_in_at_the_source();
	struct err err;

	add(&group.source, 0, NULL);
	group.source.answers[group.source.count++] = (struct fake_answer){ .close = true };
	add(&group.source, 0, NULL);
	add(&group.replica, 0, NULL);
	delete_from(&group, ERR_NONE);
	assert_int_equal(fdfs_delete(group.client, &id, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	end_group(&group, 2, 0);
}

TEST(a_delete_that_is_not_answered_ends_at_the_deadline)
{
	struct play tracker = { 0 }, source = { 0 };
	const struct file_id id = taken_in_at_the_source();
	int64_t before = clock_mono_ms();
	struct fdfs_client *client;
	struct err err;

	source.answers[source.count++] = (struct fake_answer){ .hang = true };
	start(&source);
	add_storages(&tracker,
		&(const struct play_storage){
			"10.0.0.1", ACTIVE, NULL, fake_server_port(source.server) },
		1);
	start(&tracker);
	client = client_of(fake_server_address(tracker.server), NULL, 80);
	assert_int_equal(fdfs_delete(client, &id, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNKNOWN);
	assert_true(clock_mono_ms() - before < 2000);
	fdfs_client_free(client);
	end(&tracker);
	end(&source);
}
