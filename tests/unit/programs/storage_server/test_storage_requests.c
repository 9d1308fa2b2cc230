#include "programs/storage_server/storage_requests.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static const struct storage_limits limits = {
	.group = "g01", .path_count = 2, .max_file_size = 1000000
};

/* size 1024 */
#define NAME "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg"

static enum storage_intake intake(uint8_t cmd, int64_t len)
{
	const struct fdfs_header header = { .len = len, .cmd = cmd };

	return storage_intake(&limits, &header);
}

TEST(bodies_are_bounded_before_they_are_read)
{
	assert_int_equal(intake(FDFS_UPLOAD, 1000015), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_UPLOAD, 1000016), STORAGE_DRAIN);
	assert_int_equal(intake(FDFS_UPLOAD, 4000001), STORAGE_LEAVE);
	assert_int_equal(intake(FDFS_UPLOAD, INT64_MAX), STORAGE_LEAVE);
	assert_int_equal(intake(FDFS_UPLOAD, -1), STORAGE_HANG_UP);
	assert_int_equal(intake(FDFS_DOWNLOAD, 76), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_DOWNLOAD, 100000), STORAGE_DRAIN);
	assert_int_equal(intake(99, 100000), STORAGE_DRAIN);
	assert_int_equal(intake(99, INT64_MIN), STORAGE_HANG_UP);
	assert_int_equal(intake(FDFS_QUIT, 0), STORAGE_HANG_UP);
	assert_int_equal(intake(FDFS_ACTIVE_TEST, 0), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_UPLOAD_APPENDER, 1000015), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_UPLOAD_SLAVE, 1000000 + 38 + 127), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_APPEND, 1000000 + 16 + 127), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_APPEND, 1000000 + 16 + 128), STORAGE_DRAIN);
	assert_int_equal(intake(FDFS_MODIFY, 4000001), STORAGE_LEAVE);
	assert_int_equal(intake(FDFS_RESTORE, 1000000 + 402), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_RESTORE, 1000000 + 403), STORAGE_DRAIN);
	assert_int_equal(intake(FDFS_SET_METADATA, 33 + 127 + 65535), STORAGE_COLLECT);
	assert_int_equal(intake(FDFS_SET_METADATA, 33 + 127 + 65536), STORAGE_DRAIN);
	assert_int_equal(intake(FDFS_TRUNCATE, 100000), STORAGE_DRAIN);
}

TEST(too_long_an_upload_is_told_apart_from_nonsense)
{
	struct fdfs_header header = { .len = 2000000, .cmd = FDFS_UPLOAD };
	struct err err;

	assert_int_equal(storage_refuse(&limits, &header, &err), -1);
	assert_int_equal(storage_status(err.code, 0), EFBIG);
	header.cmd = FDFS_DELETE;
	assert_int_equal(storage_refuse(&limits, &header, &err), -1);
	assert_int_equal(storage_status(err.code, 0), EINVAL);
}

static int read_file(const char *group, const char *name)
{
	struct fdfs_file_request file = { .name = span_str(name) };
	struct file_id id;
	struct buf body;
	struct err err = { 0 };

	strcpy(file.group, group);
	buf_init(&body, 1000);
	fdfs_put_file_request(&body, &file);
	storage_read_file(&limits, buf_span(&body), &id, &err);
	buf_fini(&body);
	return storage_status(err.code, 0);
}

TEST(a_mode_says_which_commands_are_taken)
{
	static const uint8_t uploads[] = { FDFS_UPLOAD, FDFS_UPLOAD_APPENDER, FDFS_ADOPT,
		FDFS_RESTORE },
			     changes[] = { FDFS_DELETE, FDFS_SET_METADATA, FDFS_UPLOAD_SLAVE,
				     FDFS_APPEND, FDFS_MODIFY, FDFS_TRUNCATE, FDFS_REGENERATE },
			     reads[] = { FDFS_DOWNLOAD, FDFS_FILE_INFO, FDFS_GET_METADATA,
				     FDFS_ACTIVE_TEST };
	struct err err;

	for (size_t i = 0; i < sizeof uploads; i++) {
		assert_int_equal(storage_permit(STORAGE_READ_WRITE, uploads[i], &err), 0);
		assert_int_equal(storage_permit(STORAGE_DRAINING, uploads[i], &err), -1);
		assert_int_equal(err_fdfs_status(err.code), ENOSPC);
		assert_int_equal(storage_permit(STORAGE_READ_ONLY, uploads[i], &err), -1);
	}
	for (size_t i = 0; i < sizeof changes; i++) {
		assert_int_equal(storage_permit(STORAGE_DRAINING, changes[i], &err), 0);
		assert_int_equal(storage_permit(STORAGE_READ_ONLY, changes[i], &err), -1);
		assert_int_equal(err_fdfs_status(err.code), EBUSY);
	}
	for (size_t i = 0; i < sizeof reads; i++)
		assert_int_equal(storage_permit(STORAGE_READ_ONLY, reads[i], &err), 0);
}

TEST(where_pictures_alone_are_kept_what_needs_names_is_refused)
{
	static const uint8_t refused[] = { FDFS_SET_METADATA, FDFS_UPLOAD_SLAVE,
		FDFS_UPLOAD_APPENDER, FDFS_APPEND, FDFS_MODIFY, FDFS_TRUNCATE, FDFS_REGENERATE,
		FDFS_ADOPT, FDFS_RESTORE };
	static const uint8_t offered[] = { FDFS_UPLOAD, FDFS_DOWNLOAD, FDFS_DELETE, FDFS_FILE_INFO,
		FDFS_GET_METADATA, FDFS_LIST_SLAVES, FDFS_ACTIVE_TEST };
	struct storage_limits pictures = { .group = "g01", .no_names = true }, all = { 0 };
	struct err err;

	for (size_t i = 0; i < sizeof refused; i++) {
		assert_int_equal(storage_offers(&all, refused[i], &err), 0);
		assert_int_equal(storage_offers(&pictures, refused[i], &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
	}
	for (size_t i = 0; i < sizeof offered; i++)
		assert_int_equal(storage_offers(&pictures, offered[i], &err), 0);
}

TEST(names_are_checked_before_anything_else)
{
	static const char *const bad[] = {
		"M02/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg", /* a store path it has not */
		"00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg",     /* the old style */
		"M00/0a/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg", /* lower case */
		"M00/00/../fwAAAmsC23SASnBNAAAEALcLTCY054.jpg", /* a way up */
		"M00/00/00/",
		"M",
		"",
	};

	assert_int_equal(read_file("g01", NAME), 0);
	assert_int_equal(read_file("g02", NAME), EINVAL);
	assert_int_equal(read_file("", NAME), EINVAL);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (read_file("g01", bad[i]) != EINVAL)
			fail_msg("accepted '%s'", bad[i]);
}

TEST(a_name_of_300_characters_is_refused)
{
	uint8_t body[16 + 300] = "g01";
	struct file_id id;
	struct err err;

	memset(body + 16, 'A', 300);
	memcpy(body + 16, NAME, 44);
	assert_int_equal(storage_read_file(&limits, span_of(body, sizeof body), &id, &err), -1);
	assert_int_equal(storage_status(err.code, 0), EINVAL);
}

static uint64_t from, len;

static int range_of(const char *name, int64_t offset, int64_t bytes)
{
	struct fdfs_download_request request = {
		.offset = offset,
		.bytes = bytes,
		.file = { .group = "g01", .name = span_str(name) },
	};
	struct file_id id;
	struct buf body;
	struct err err = { 0 };

	buf_init(&body, 1000);
	fdfs_put_download_request(&body, &request);
	storage_read_download(&limits, buf_span(&body), &id, &from, &len, &err);
	buf_fini(&body);
	return storage_status(err.code, 0);
}

TEST(ranges_are_clipped)
{
	assert_int_equal(range_of(NAME, 0, 0), 0);
	assert_int_equal(from, 0);
	assert_int_equal(len, 1024);
	assert_int_equal(range_of(NAME, 10, 20), 0);
	assert_int_equal(from, 10);
	assert_int_equal(len, 20);
	assert_int_equal(range_of(NAME, 1000, 5000), 0);
	assert_int_equal(len, 24);
	assert_int_equal(range_of(NAME, 1023, INT64_MAX), 0);
	assert_int_equal(len, 1);
}

TEST(ranges_outside_of_the_file_are_refused)
{
	assert_int_equal(range_of(NAME, 1024, 0), EINVAL);
	assert_int_equal(range_of(NAME, 1025, 1), EINVAL);
	assert_int_equal(range_of(NAME, -1, 1), EINVAL);
	assert_int_equal(range_of(NAME, 0, -1), EINVAL);
	assert_int_equal(range_of(NAME, INT64_MIN, INT64_MIN), EINVAL);
	assert_int_equal(range_of(NAME, INT64_MAX, 1), EINVAL);
}

TEST(an_empty_file_has_an_empty_range)
{
	struct file_id id = { .group = "g01", .source = { 127, 0, 0, 2 }, .ext = "jpg" };

	assert_true(file_id_make(&id, 1));
	assert_int_equal(range_of(id.name, 0, 0), 0);
	assert_int_equal(from, 0);
	assert_int_equal(len, 0);
	assert_int_equal(range_of(id.name, 0, 5), 0);
	assert_int_equal(len, 0);
	assert_int_equal(range_of(id.name, 1, 0), EINVAL);
}

static int upload(uint8_t path, const char *ext, uint64_t size)
{
	struct fdfs_upload_request request = { .path = path, .size = size };
	struct buf body;
	struct err err = { 0 };

	strcpy(request.ext, ext);
	buf_init(&body, 1000);
	fdfs_put_upload_head(&body, &request);
	buf_put_str(&body, "abc");
	storage_read_upload(&limits, buf_span(&body), &request, &err);
	buf_fini(&body);
	return storage_status(err.code, 0);
}

TEST(uploads_are_checked)
{
	assert_int_equal(upload(0, "jpg", 3), 0);
	assert_int_equal(upload(1, "tar.gz", 3), 0);
	assert_int_equal(upload(FDFS_ANY_PATH, "", 3), 0);
	assert_int_equal(upload(2, "jpg", 3), EINVAL);
	assert_int_equal(upload(0, "a/b", 3), EINVAL);
	assert_int_equal(upload(0, "a b", 3), EINVAL);
	assert_int_equal(upload(0, "jpg", 4), EINVAL);
	assert_int_equal(upload(0, "jpg", 2), EINVAL);
	assert_int_equal(upload(0, "jpg", UINT64_MAX), EINVAL);
}

TEST(who_asks_is_told_that_a_file_was_deleted)
{
	assert_int_equal(storage_status(ERR_GONE, 0), ENOENT);
	assert_int_equal(storage_status(ERR_GONE, 2), ENOENT);
	assert_int_equal(storage_status(ERR_GONE, FDFS_FLAG_TELL_GONE), FDFS_STATUS_GONE);
	assert_int_equal(storage_status(ERR_NOT_FOUND, FDFS_FLAG_TELL_GONE), ENOENT);
	assert_int_equal(storage_status(ERR_FULL, 0), ENOSPC);
	assert_int_equal(storage_status(ERR_CORRUPT, 0), EIO);
}

static int slave(const char *master, const char *prefix, const char *ext, struct file_id *id)
{
	struct fdfs_slave_request request = { .master = span_str(master), .size = 3 };
	struct file_id of;
	struct buf body;
	struct err err = { 0 };

	strcpy(request.prefix, prefix);
	strcpy(request.ext, ext);
	buf_init(&body, 1000);
	fdfs_put_slave_head(&body, &request);
	buf_put_str(&body, "abc");
	storage_read_slave(&limits, buf_span(&body), &request, &of, id, &err);
	buf_fini(&body);
	return storage_status(err.code, 0);
}

TEST(slaves_are_checked)
{
	struct file_id id;

	assert_int_equal(slave(NAME, "_1", "png", &id), 0);
	assert_string_equal(id.name, "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_1.png");
	assert_string_equal(id.group, "g01");
	assert_int_equal(slave(NAME, "-m", "", &id), EINVAL);
	assert_int_equal(slave(NAME, "", "png", &id), EINVAL);
	assert_int_equal(slave(NAME, "_1", "p/g", &id), EINVAL);
	assert_int_equal(
		slave("M02/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg", "_1", "png", &id), EINVAL);
	assert_int_equal(slave("../../../etc/passwd", "_1", "png", &id), EINVAL);
}

static int change(uint8_t cmd, const char *name, int64_t offset, int64_t size)
{
	struct fdfs_change_request request = {
		.name = span_str(name), .offset = offset, .size = size
	};
	struct file_id id;
	struct buf body;
	struct err err = { 0 };

	buf_init(&body, 1000);
	fdfs_put_change_head(&body, cmd, &request);
	if (cmd == FDFS_APPEND || cmd == FDFS_MODIFY)
		buf_put_str(&body, "abc");
	storage_read_change(&limits, cmd, buf_span(&body), &request, &id, &err);
	buf_fini(&body);
	return storage_status(err.code, 0);
}

TEST(changes_are_checked)
{
	assert_int_equal(change(FDFS_APPEND, NAME, 0, 3), 0);
	assert_int_equal(change(FDFS_APPEND, NAME, 0, 2), EINVAL);
	assert_int_equal(change(FDFS_MODIFY, NAME, 5, 3), 0);
	assert_int_equal(change(FDFS_MODIFY, NAME, -5, 3), EINVAL);
	assert_int_equal(change(FDFS_TRUNCATE, NAME, 0, 300), 0);
	assert_int_equal(change(FDFS_TRUNCATE, NAME, 0, -1), EINVAL);
	assert_int_equal(change(FDFS_REGENERATE, NAME, 0, 0), 0);
	assert_int_equal(change(FDFS_REGENERATE, "M00/00/00/", 0, 0), EINVAL);
}

TEST(metadata_is_checked)
{
	static const struct {
		uint8_t flag;
		const char *group;
		int status;
	} asked[] = { { 'O', "g01", 0 }, { 'M', "g01", 0 }, { 'o', "g01", EINVAL },
		{ 0, "g01", EINVAL }, { 'O', "g02", EINVAL } };

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		struct fdfs_metadata_request request = {
			.flag = asked[i].flag, .file.name = span_str(NAME), .text = span_str("a")
		};
		struct file_id id;
		struct buf body;
		struct err err = { 0 };

		strcpy(request.file.group, asked[i].group);
		buf_init(&body, 1000);
		fdfs_put_metadata_head(&body, &request);
		buf_put_span(&body, request.text);
		storage_read_metadata(&limits, buf_span(&body), &request, &id, &err);
		assert_int_equal(storage_status(err.code, 0), asked[i].status);
		buf_fini(&body);
	}
}

TEST(metadata_of_a_file_may_have_65535_bytes)
{
	static uint8_t bytes[65536];

	for (size_t text_len = 65535; text_len <= 65536; text_len++) {
		struct fdfs_metadata_request request = { .flag = 'O',
			.file = { .group = "g01", .name = span_str(NAME) },
			.text = span_of(bytes, text_len) };
		struct file_id id;
		struct buf body;
		struct err err = { 0 };

		buf_init(&body, 70000);
		fdfs_put_metadata_head(&body, &request);
		buf_put_span(&body, request.text);
		storage_read_metadata(&limits, buf_span(&body), &request, &id, &err);
		assert_int_equal(storage_status(err.code, 0), text_len == 65535 ? 0 : EINVAL);
		buf_fini(&body);
	}
}

#define SLAVE    "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_1.png"
#define OF_SLAVE "M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_1_2.png"
#define LOG      "M00/00/00/fwAAAmsC23SEZwdaAAAAAMv1Ohw705.log"
#define HELLO    "M00/00/00/oYYBAGsC29qAU28nAAAABTYQpoY628.jpg" /* what "hello" is called */

TEST(what_comes_back_is_checked)
{
	static const struct {
		enum fdfs_restored what;
		const char *name, *master, *first, *content;
		enum err_code code;
	} asked[] = {
		{ FDFS_RESTORED_SLAVE, SLAVE, NAME, "", "abc", ERR_NONE },
		{ FDFS_RESTORED_SLAVE, OF_SLAVE, SLAVE, NAME, "", ERR_NONE },
		{ FDFS_RESTORED_SLAVE, SLAVE, "M77/00/00/oYYBAGsC29qAU28nAAAABTYQpoY628.jpg", "",
			"abc", ERR_NONE },
		{ FDFS_RESTORED_APPENDER, LOG, "", "", "whatever", ERR_NONE },
		{ FDFS_RESTORED_FINISHED, HELLO, "", "", "hello", ERR_NONE },
		{ FDFS_RESTORED_FINISHED, HELLO, "", "", "hallo", ERR_CORRUPT },
		{ FDFS_RESTORED_FINISHED, HELLO, "", "", "hello!", ERR_CORRUPT },
		{ FDFS_RESTORED_SLAVE, SLAVE, "", "", "abc", ERR_BAD_REQUEST },
		{ FDFS_RESTORED_SLAVE, SLAVE, "../../etc/passwd", "", "abc", ERR_BAD_ID },
		{ FDFS_RESTORED_SLAVE, SLAVE, NAME, "M00/00/00/", "abc", ERR_BAD_ID },
		{ FDFS_RESTORED_SLAVE, NAME, NAME, "", "abc", ERR_BAD_ID },
		{ FDFS_RESTORED_SLAVE, "M02/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054_1.png", NAME, "",
			"abc", ERR_UNSUPPORTED },
		{ FDFS_RESTORED_APPENDER, LOG, NAME, "", "abc", ERR_BAD_REQUEST },
		{ FDFS_RESTORED_APPENDER, LOG, "", NAME, "abc", ERR_BAD_REQUEST },
		{ FDFS_RESTORED_APPENDER, NAME, "", "", "abc", ERR_BAD_ID },
		{ FDFS_RESTORED_APPENDER, "M00/../../etc/passwd", "", "", "abc", ERR_BAD_ID },
		{ FDFS_RESTORED_FINISHED, LOG, "", "", "abc", ERR_BAD_ID },
	};

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		struct fdfs_restore_request request = { .what = asked[i].what,
			.changed = 1700000000,
			.name = span_str(asked[i].name),
			.master = span_str(asked[i].master),
			.first = span_str(asked[i].first),
			.size = strlen(asked[i].content) };
		struct storage_restored files;
		struct err err = { 0 };
		struct buf body;

		buf_init(&body, 1000);
		fdfs_put_restore_head(&body, &request);
		buf_put_str(&body, asked[i].content);
		storage_read_restore(&limits, buf_span(&body), &request, &files, &err);
		if (err.code != asked[i].code)
			fail_msg("%s: %s", asked[i].name, err.text);
		if (err.code == ERR_NONE) {
			assert_string_equal(files.id.name, asked[i].name);
			assert_string_equal(files.master.name, asked[i].master);
			assert_string_equal(files.first.name, asked[i].first);
			assert_true(span_is(request.content, asked[i].content));
		}
		buf_fini(&body);
	}
}
