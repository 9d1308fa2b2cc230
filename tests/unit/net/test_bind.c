#include "net/bind.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[200], address[210];

static void fresh_path(void)
{
	snprintf(path, sizeof path, "%s/a.sock", unit_scratch());
	snprintf(address, sizeof address, "unix:%s", path);
}

static bool connects(const char *text)
{
	struct sockaddr_storage to;
	struct err err;
	socklen_t len;
	int fd;
	bool good;

	assert_int_equal(sockaddr_resolve(text, &to, &len, &err), 0);
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	good = connect(fd, (struct sockaddr *)&to, len) == 0;
	close(fd);
	return good;
}

TEST(listens_on_a_free_port_and_tells_which)
{
	char text[SOCKADDR_TEXT_MAX];
	struct err err;
	int fd = bind_listen("127.0.0.1:0", 0, 5, &err);

	assert_true(fd >= 0);
	bind_text(fd, text);
	assert_memory_equal(text, "127.0.0.1:", 10);
	assert_string_not_equal(text, "127.0.0.1:0");
	assert_true(connects(text));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bind_close(fd);
}

TEST(a_port_in_use_is_named_with_what_to_do)
{
	char text[SOCKADDR_TEXT_MAX], want[256];
	struct err err;
	int fd = bind_listen("127.0.0.1:0", 0, 5, &err);

	bind_text(fd, text);
	assert_int_equal(bind_listen(text, 0, 5, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	snprintf(want, sizeof want,
		"%s is in use by another program: stop it (ss -ltnp shows which) or listen "
		"elsewhere",
		text);
	assert_string_equal(err.text, want);
	bind_close(fd);
}

TEST(a_unix_socket_has_the_mode_it_is_given_and_goes_when_closed)
{
	struct err err;
	struct stat st;
	int fd;

	fresh_path();
	fd = bind_listen(address, 0640, 5, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_true(connects(address));
	bind_close(fd);
	assert_int_equal(stat(path, &st), -1);
}

TEST(a_unix_socket_left_behind_is_replaced)
{
	struct err err;
	int fd;

	fresh_path();
	fd = bind_listen(address, 0600, 5, &err);
	close(fd); /* as a crash does */
	fd = bind_listen(address, 0600, 5, &err);
	assert_true(fd >= 0);
	assert_true(connects(address));
	bind_close(fd);
}

TEST(a_unix_socket_that_lives_is_refused)
{
	struct err err;
	int fd;

	fresh_path();
	fd = bind_listen(address, 0600, 5, &err);
	assert_int_equal(bind_listen(address, 0600, 5, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.text, "another process listens on"));
	assert_true(connects(address));
	bind_close(fd);
}

TEST(a_file_that_is_no_socket_is_left_alone)
{
	struct err err;
	struct stat st;

	fresh_path();
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(bind_listen(address, 0600, 5, &err), -1);
	assert_non_null(strstr(err.text, "is there and is no socket"));
	assert_int_equal(stat(path, &st), 0);
}

TEST(says_what_is_wrong_with_an_address)
{
	static const struct {
		const char *address;
		enum err_code code;
		const char *why;
	} bad[] = {
		{ "nonsense", ERR_CONFIG, "'nonsense' is not an address" },
		{ "192.0.2.1:0", ERR_CONFIG, "is not an address of this machine" },
		{ "unix:/nonexistent/a.sock", ERR_CONFIG, "make it first" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = { 0 };

		assert_int_equal(bind_listen(bad[i].address, 0600, 5, &err), -1);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].address, err.text);
		assert_int_equal(err.code, bad[i].code);
	}
}

TEST(no_descriptor_is_fine_to_close)
{
	bind_close(-1);
}
