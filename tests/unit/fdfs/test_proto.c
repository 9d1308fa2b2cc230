#include "fdfs/proto.h"
#include "proto_kit.h"

#include "unit.h"

#include <string.h>

TEST(headers_are_length_command_and_status)
{
	const struct fdfs_header request = { .len = 1039, .cmd = FDFS_UPLOAD };
	struct fdfs_header header;
	uint8_t bytes[FDFS_HEADER_LEN];

	fdfs_header_write(&request, bytes);
	assert_memory_equal(bytes, hex("000000000000040f 0b00").data, sizeof bytes);
	header = fdfs_header_read(hex("ffffffffffffffff 6416").data);
	assert_true(header.len == -1);
	assert_int_equal(header.cmd, FDFS_REPLY);
	assert_int_equal(header.status, 22);
}

TEST(a_package_gets_its_length_at_the_end)
{
	size_t begun;

	buf_put_u8(fresh(), 0xaa); /* something in front */
	begun = fdfs_begin(&out, FDFS_UPLOAD, 0);
	fdfs_put_upload_head(
		&out, &(struct fdfs_upload_request){ .path = FDFS_ANY_PATH, .size = 3, .ext = "" });
	fdfs_end(&out, begun, 3);
	expect("aa 0000000000000012 0b00 ff 0000000000000003 ......");
}

TEST(an_upload_is_read_with_its_content)
{
	struct fdfs_upload_request request;

	assert_true(
		fdfs_get_upload_request(hex("00 0000000000000003 7461722e677a 616263"), &request));
	assert_int_equal(request.path, 0);
	assert_string_equal(request.ext, "tar.gz");
	assert_true(span_is(request.content, "abc"));
	assert_false(
		fdfs_get_upload_request(hex("00 0000000000000004 7461722e677a 616263"), &request));
	assert_false(
		fdfs_get_upload_request(hex("00 0000000000000002 7461722e677a 616263"), &request));
	assert_false(
		fdfs_get_upload_request(hex("00 ffffffffffffffff 7461722e677a 616263"), &request));
	assert_false(fdfs_get_upload_request(hex("00 0000000000000000 7461"), &request));
}

TEST(a_file_is_a_group_and_a_name)
{
	struct fdfs_file_request file = { .group = "g01", .name = SPAN(NAME) };
	struct fdfs_file_request again;

	fdfs_put_file_request(fresh(), &file);
	assert_int_equal(out.len, 60);
	assert_true(fdfs_get_file_request(buf_span(&out), &again));
	assert_string_equal(again.group, "g01");
	assert_true(span_is(again.name, NAME));
	assert_false(fdfs_get_file_request(span_of(out.data, 16), &again)); /* no name */
	assert_false(fdfs_get_file_request(span_of(out.data, 15), &again));
}

TEST(a_name_ends_before_its_first_nul)
{
	static const char bytes[] = "g01\0stale-bytes-M00/a\0\0b";
	struct fdfs_file_request file;
	struct fdfs_change_request change;
	uint8_t body[16 + 8 + 200] = { [7] = 200, [15] = 3 };

	assert_true(fdfs_get_file_request(span_of(bytes, sizeof bytes - 1), &file));
	assert_string_equal(file.group, "g01");
	assert_true(span_is(file.name, "M00/a"));
	assert_false(fdfs_get_file_request(span_of(bytes, 16), &file));
	assert_false(fdfs_get_file_request(span_of("g01\0............\0M00", 20), &file));
	memcpy(body + 16, "M00/b", 5);
	assert_true(fdfs_get_change_request(FDFS_APPEND, span_of(body, 16 + 200 + 3), &change));
	assert_true(span_is(change.name, "M00/b") && change.content.len == 3);
	assert_false(fdfs_get_change_request(FDFS_APPEND, span_of(body, 16 + 200 + 2), &change));
}

TEST(names_over_127_bytes_are_refused)
{
	struct fdfs_file_request file;
	uint8_t bytes[16 + 128] = "g01";

	memset(bytes + 16, 'A', 128);
	assert_true(fdfs_get_file_request(span_of(bytes, 16 + 127), &file));
	assert_false(fdfs_get_file_request(span_of(bytes, 16 + 128), &file));
}

TEST(a_group_may_use_its_whole_field)
{
	char group[FDFS_GROUP_WIDTH + 1];

	fdfs_put_group(fresh(), "abcdefghijklmnop");
	assert_true(fdfs_get_group(buf_span(&out), group));
	assert_string_equal(group, "abcdefghijklmnop");
	fdfs_put_group(fresh(), "abcdefghijklmnopq");
	assert_false(buf_ok(&out));
	assert_false(fdfs_get_group(hex("6730"), group));
}

TEST(a_download_says_which_bytes)
{
	struct fdfs_download_request request = {
		.offset = 10,
		.bytes = 20,
		.file = { .group = "g01", .name = SPAN("M") },
	};

	fdfs_put_download_request(fresh(), &request);
	expect("000000000000000a 0000000000000014 " G01 "4d");
	assert_true(fdfs_get_download_request(
		hex("ffffffffffffffff 0000000000000000 " G01 "4d"), &request));
	assert_true(request.offset == -1);
	assert_int_equal(request.bytes, 0);
}

/* From a live cluster; the names stand for 44 characters there. */
TEST(a_slave_request_is_as_captured)
{
	struct fdfs_slave_request request = {
		.prefix = "_150x150", .ext = "png", .master = span_str("MM"), .size = 5
	};

	fdfs_put_slave_head(fresh(), &request);
	buf_put_str(&out, "slave");
	expect("0000000000000002 0000000000000005 5f313530783135300000000000000000 706e67000000 "
	       "4d4d 736c617665");
	memset(&request, 0, sizeof request);
	assert_true(fdfs_get_slave_request(buf_span(&out), &request));
	assert_string_equal(request.prefix, "_150x150");
	assert_string_equal(request.ext, "png");
	assert_true(span_is(request.master, "MM") && span_is(request.content, "slave"));
}

TEST(a_slave_request_whose_lengths_do_not_add_up_is_refused)
{
	static const char *const bad[] = {
		"0000000000000002 0000000000000005 " G01 "706e67000000 4d4d 736c6176",
		"0000000000000002 0000000000000005 " G01 "706e67000000 4d4d 736c61766565",
		"0000000000000003 0000000000000005 " G01 "706e67000000 4d4d 736c617665",
		"0000000000000000 0000000000000005 " G01 "706e67000000 736c617665",
		"ffffffffffffffff 0000000000000005 " G01 "706e67000000 4d4d 736c617665",
		"0000000000000002 ffffffffffffffff " G01 "706e67000000 4d4d 736c617665",
		"7fffffffffffffff 0000000000000005 " G01 "706e67000000 4d4d 736c617665",
		"0000000000000002 0000000000000005 " G01,
	};
	struct fdfs_slave_request request;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (fdfs_get_slave_request(hex(bad[i]), &request))
			fail_msg("accepted %s", bad[i]);
}

TEST(changes_of_appender_files_are_as_captured)
{
	struct fdfs_change_request request = { .name = span_str("MM"), .size = 3 };

	fdfs_put_change_head(fresh(), FDFS_APPEND, &request);
	expect("0000000000000002 0000000000000003 4d4d");
	request.offset = 2;
	fdfs_put_change_head(fresh(), FDFS_MODIFY, &request);
	expect("0000000000000002 0000000000000002 0000000000000003 4d4d");
	fdfs_put_change_head(fresh(), FDFS_TRUNCATE, &request);
	expect("0000000000000002 0000000000000003 4d4d");
	fdfs_put_change_head(fresh(), FDFS_REGENERATE, &request);
	expect("4d4d");
	assert_true(fdfs_get_change_request(
		FDFS_APPEND, hex("0000000000000002 0000000000000003 4d4d 363738"), &request));
	assert_true(span_is(request.name, "MM") && span_is(request.content, "678"));
	assert_true(fdfs_get_change_request(FDFS_MODIFY,
		hex("0000000000000002 0000000000000002 0000000000000002 4d4d 5859"), &request));
	assert_int_equal(request.offset, 2);
	assert_true(span_is(request.content, "XY"));
	assert_true(fdfs_get_change_request(
		FDFS_TRUNCATE, hex("0000000000000002 0000000000000004 4d4d"), &request));
	assert_int_equal(request.size, 4);
	assert_true(fdfs_get_change_request(FDFS_REGENERATE, hex("4d4d"), &request));
	assert_true(span_is(request.name, "MM"));
}

TEST(changes_whose_lengths_do_not_add_up_are_refused)
{
	static const struct {
		uint8_t cmd;
		const char *body;
	} bad[] = {
		{ FDFS_APPEND, "0000000000000002 0000000000000003 4d4d 3637" },
		{ FDFS_APPEND, "0000000000000002 ffffffffffffffff 4d4d 3637" },
		{ FDFS_APPEND, "ffffffffffffffff 0000000000000001 4d4d 3637" },
		{ FDFS_APPEND, "0000000000000080 0000000000000001 4d4d 3637" },
		{ FDFS_APPEND, "0000000000000000 0000000000000002 4d4d" },
		{ FDFS_MODIFY, "0000000000000002 0000000000000002 0000000000000003 4d4d 5859" },
		{ FDFS_MODIFY, "0000000000000002 0000000000000002" },
		{ FDFS_TRUNCATE, "0000000000000002 ffffffffffffffff 4d4d" },
		{ FDFS_TRUNCATE, "0000000000000002 0000000000000001 4d4d 00" },
		{ FDFS_REGENERATE, "" },
	};
	struct fdfs_change_request request;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (fdfs_get_change_request(bad[i].cmd, hex(bad[i].body), &request))
			fail_msg("accepted %u %s", bad[i].cmd, bad[i].body);
}

TEST(metadata_requests_are_as_captured)
{
	struct fdfs_metadata_request request = { .flag = 'O',
		.file = { .group = "g01", .name = span_str("MM") },
		.text = span_str("a\x02z") };

	fdfs_put_metadata_head(fresh(), &request);
	buf_put_span(&out, request.text);
	expect("0000000000000002 0000000000000003 4f " G01 "4d4d 61027a");
	memset(&request, 0, sizeof request);
	assert_true(fdfs_get_metadata_request(buf_span(&out), &request));
	assert_int_equal(request.flag, 'O');
	assert_string_equal(request.file.group, "g01");
	assert_true(span_is(request.file.name, "MM") && span_is(request.text, "a\x02z"));
	assert_false(fdfs_get_metadata_request(
		hex("0000000000000002 0000000000000004 4f " G01 "4d4d 61027a"), &request));
	assert_false(fdfs_get_metadata_request(
		hex("ffffffffffffffff 0000000000000003 4f " G01 "4d4d 61027a"), &request));
	assert_false(fdfs_get_metadata_request(
		hex("0000000000000002 ffffffffffffffff 4f " G01 "4d4d 61027a"), &request));
}

TEST(storages_of_a_group_may_be_one)
{
	struct fdfs_list_request request = { .group = "g01", .storage = "127.0.0.2" };

	fdfs_put_list_request(fresh(), &request);
	expect(G01 "3132372e302e302e32");
	assert_true(fdfs_get_list_request(buf_span(&out), &request));
	assert_string_equal(request.storage, "127.0.0.2");
	assert_true(fdfs_get_list_request(hex(G01), &request));
	assert_string_equal(request.storage, "");
	assert_false(fdfs_get_list_request(hex(G01 "................"), &request));
}

TEST(store_one_is_40_bytes_or_70)
{
	struct fdfs_route route = {
		.group = "g02",
		.count = 1,
		.to = { { "127.0.0.2", 23001 } },
	};

	fdfs_put_store(fresh(), FDFS_IP_16, &route);
	expect(G02 LOCAL2 "00000000000059d9 00");
	memset(&route, 0, sizeof route);
	assert_true(fdfs_get_store(buf_span(&out), &route));
	assert_string_equal(route.group, "g02");
	assert_string_equal(route.to[0].ip, "127.0.0.2");
	assert_int_equal(route.to[0].port, 23001);
	assert_int_equal(route.path, 0);
	fdfs_put_store(fresh(), FDFS_IP_46, &route);
	assert_int_equal(out.len, 70);
	memset(&route, 0, sizeof route);
	assert_true(fdfs_get_store(buf_span(&out), &route));
	assert_string_equal(route.to[0].ip, "127.0.0.2");
}

TEST(store_all_ends_in_one_path)
{
	struct fdfs_route route;

	assert_true(fdfs_get_store(hex(G01 LOCAL2 "0000000000005b04"
						  "3132372e302e302e33...... 0000000000005b04 00"),
		&route));
	assert_int_equal(route.count, 2);
	assert_string_equal(route.to[1].ip, "127.0.0.3");
	assert_int_equal(route.to[1].port, 23300);
	fdfs_put_store(fresh(), FDFS_IP_16, &route);
	assert_int_equal(out.len, 63);
}

TEST(fetch_is_a_group_and_addresses)
{
	struct fdfs_route route;

	assert_true(fdfs_get_fetch(hex(G01 LOCAL2 "00000000000059d8"), &route));
	assert_int_equal(route.count, 1);
	assert_int_equal(route.to[0].port, 23000);
	for (size_t count = 1; count <= FDFS_ROUTE_MAX; count++)
		for (int width = FDFS_IP_16; width <= FDFS_IP_46; width++) {
			struct fdfs_route again;

			for (size_t i = 0; i < count; i++)
				route.to[i] = route.to[0];
			route.count = count;
			fdfs_put_fetch(fresh(), (enum fdfs_ip_width)width, &route);
			assert_true(fdfs_get_fetch(buf_span(&out), &again));
			assert_int_equal(again.count, count);
			assert_string_equal(again.to[count - 1].ip, "127.0.0.2");
		}
}

TEST(routing_replies_of_other_lengths_are_refused)
{
	struct fdfs_route route;
	uint8_t bytes[200] = "g01";

	for (size_t len = 0; len < 70; len++)
		if (fdfs_get_store(span_of(bytes, len), &route) != (len == 40 || len == 63))
			fail_msg("%zu bytes", len);
	bytes[31] = 1; /* a port over 65535 */
	assert_false(fdfs_get_store(span_of(bytes, 40), &route));
}

TEST(the_crc_of_a_file_is_sign_extended)
{
	struct fdfs_info_reply reply = {
		.size = 1024, .time = 0x6b02db74, .crc = 0xb70b4c26, .source = "127.0.0.2"
	};

	fdfs_put_info_reply(fresh(), FDFS_IP_16, &reply);
	expect("0000000000000400 000000006b02db74 ffffffffb70b4c26 3132372e302e302e32.......");
	memset(&reply, 0, sizeof reply);
	assert_true(fdfs_get_info_reply(buf_span(&out), &reply));
	assert_int_equal(reply.crc, 0xb70b4c26);
	assert_string_equal(reply.source, "127.0.0.2");
	fdfs_put_info_reply(fresh(), FDFS_IP_46, &reply);
	assert_int_equal(out.len, 70);
	assert_true(fdfs_get_info_reply(buf_span(&out), &reply));
	assert_false(fdfs_get_info_reply(span_of(out.data, 41), &reply));
}
