#include "core/buf.h"
#include "service/settings.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define G01   "[storage g01]\nstore_path = /data/g01\n"

#define IN_S3 "group = g\nengine = s3\ns3_endpoint = https://s3\ns3_bucket = pics\n"
#define S3A   "[storage a]\n" IN_S3
#define RADOS "[storage a]\ngroup = g\nengine = rados\nrados_pool = p\n"
#define S3B   "[storage b]\nlisten = 127.0.0.1:2\n" IN_S3

static struct settings *good(const char *text)
{
	struct err err = { 0 };
	struct settings *settings = settings_parse("/etc/p.conf", text, &err);

	if (settings == NULL)
		fail_msg("refused: %s", err.text);
	return settings;
}

TEST(nothing_needs_to_be_configured)
{
	struct settings *s = good("");

	assert_string_equal(s->tracker_server.items[0], "127.0.0.1:22122");
	assert_string_equal(s->tracker_listen, "127.0.0.1:22122");
	assert_int_equal(s->storage_count, 0);
	assert_int_equal(s->download_socket_mode, 0660);
	assert_int_equal(s->max_picture_bytes, 5 * 1024 * 1024);
	assert_int_equal(s->key_max_age, 3600 * 1000);
	assert_true(s->keys_des);
	assert_string_equal(s->user, "");
	assert_string_equal(s->file, "/etc/p.conf");
	settings_free(s);
}

TEST(every_default_stands_in_the_sample_and_every_key_has_help)
{
	for (size_t i = 0; i < settings_table.count; i++) {
		const struct conf_key *key = &settings_table.keys[i];
		size_t len = strlen(key->help);

		if (len < 20 || key->help[len - 1] != '.')
			fail_msg("%s.%s has no sentence of help", key->section, key->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(key->section, settings_table.keys[j].section) == 0 &&
				(strcmp(key->name, settings_table.keys[j].name) == 0 ||
					key->offset == settings_table.keys[j].offset))
				fail_msg("%s.%s stands twice", key->section, key->name);
	}
}

TEST(the_sample_is_a_configuration)
{
	struct buf sample;

	buf_init(&sample, 1 << 20);
	conf_sample(&settings_table, &sample);
	buf_put_u8(&sample, 0);
	assert_true(buf_ok(&sample));
	settings_free(good((char *)sample.data));
	buf_fini(&sample);
}

TEST(a_storage_without_a_group_is_the_group_of_its_name)
{
	struct settings *s = good(G01 "[storage b]\nstore_path=/b\ngroup=g02\nlisten=[::1]:1\n");

	assert_string_equal(s->storages[0].name, "g01");
	assert_string_equal(s->storages[0].group, "g01");
	assert_int_equal(s->storages[0].volume_size, INT64_C(4) << 30);
	assert_string_equal(s->storages[1].group, "g02");
	settings_free(s);
}

TEST(settings_that_do_not_fit_each_other_are_refused)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "[storage g01]\n", "/etc/p.conf: [storage g01]: store_path is missing" },
		{ "[storage g-1]\nstore_path=/a\n", "/etc/p.conf: [storage g-1]: group: 'g-1' is "
						    "not a group: 1 to 16 letters and "
						    "digits" },
		{ "[storage g01]\nstore_path=/a /a\n",
			"/etc/p.conf: [storage g01]: store_path names /a twice" },
		{ "[storage g01]\nstore_path=/a\nlisten=unix:/a\n",
			"/etc/p.conf: [storage g01]: listen must be host:port" },
		{ "[storage g01]\nstore_path=/a\nadvertise=localhost:1\n",
			"/etc/p.conf: [storage g01]: advertise must be an address in digits and a "
			"port" },
		{ "[storage g01]\nstore_path=/a\nadvertise=[fd00::1]:1\n",
			"/etc/p.conf: [storage g01]: id must be set: fd00::1 is not IPv4 and does "
			"not fit into the names of files" },
		{ "[storage g01]\nstore_path=/a\nmax_file_size=300M\n",
			"/etc/p.conf: [storage g01]: upload_memory is less than max_file_size" },
		{ "[storage g01]\nstore_path=/a\nvolume_size=1M\n",
			"/etc/p.conf: [storage g01]: max_file_size must be less than volume_size" },
		{ G01 "[storage g02]\nstore_path=/b\n", "/etc/p.conf: [storage g02]: it listens on "
							"127.0.0.1:23000, as [storage g01] "
							"does" },
		{ G01 "[storage g02]\nstore_path=/data/./g01\nlisten=127.0.0.1:23001\n",
			"/etc/p.conf: [storage g02]: its store_path /data/g01 is that of [storage "
			"g01] "
			"too" },
		{ G01 "engine = s3\n",
			"/etc/p.conf: [storage g01]: engine = s3 keeps nothing on this machine: "
			"store_path must be empty" },
		{ "[storage a]\nengine = s3\n", "/etc/p.conf: [storage a]: an engine s3 needs "
						"s3_endpoint and s3_bucket" },
		{ G01 "cold_engine = s3\n", "/etc/p.conf: [storage g01]: an engine s3 needs "
					    "s3_endpoint and s3_bucket" },
		{ G01 "cold_engine = rados\n",
			"/etc/p.conf: [storage g01]: an engine rados needs rados_pool" },
		{ G01 "engine = file\ncold_engine = s3\n",
			"/etc/p.conf: [storage g01]: cold_engine stands behind engine = volume "
			"alone" },
		{ G01 "engine = rados\n",
			"/etc/p.conf: [storage g01]: engine = rados keeps nothing on this machine: "
			"store_path must be empty" },
		{ "[storage a]\nengine = rados\n",
			"/etc/p.conf: [storage a]: an engine rados needs rados_pool" },
		{ RADOS "[storage b]\nlisten = 127.0.0.1:2\ngroup = g\nengine = rados\n"
			"rados_pool = p\nrados_namespace = n\n",
			"/etc/p.conf: [storage b]: [storage a] is of the same group g and keeps "
			"its files elsewhere" },
		{ RADOS "rados_timeout = 1s\n",
			"/etc/p.conf:5: rados_timeout: '1s' is not between 2s and 1h" },
		{ S3A "s3_secret_key = ../des\n",
			"/etc/p.conf: [storage a]: s3_access_key and s3_secret_key must be names "
			"of files in secret_dir" },
		{ S3A S3B "s3_prefix = another\n", "/etc/p.conf: [storage b]: [storage a] is of "
						   "the same group g and keeps its "
						   "files elsewhere" },
		{ S3A "[storage b]\nlisten = 127.0.0.1:2\ngroup = g\nstore_path = /b\n",
			"/etc/p.conf: [storage b]: [storage a] is of the same group g and keeps "
			"its "
			"files elsewhere" },
		{ "[fdfs]\ntracker_server =\n", "/etc/p.conf: [fdfs] tracker_server is empty" },
		{ "[fdfs]\ntracker_server = a\n",
			"/etc/p.conf: [fdfs] tracker_server: 'a' is not host:port" },
		{ "[fdfs]\nallow = 10.0.0.0/33\n",
			"/etc/p.conf: [fdfs] allow: '10.0.0.0/33' is not an address or network "
			"(10.0.0.0/8)" },
		{ "[fdfs]\nallow = all\n", "/etc/p.conf: [fdfs] allow: 'all' is not an address or "
					   "network (10.0.0.0/8)" },
		{ "[tracker]\nstore_lookup = group\n", "/etc/p.conf: [tracker] store_group: '' is "
						       "not a group: 1 to 16 letters and "
						       "digits" },
		{ "[tracker]\nbeat_timeout = 200ms\n",
			"/etc/p.conf: [tracker] beat_timeout must be longer than beat_interval" },
		{ "[upload]\nformats = jpeg bmp\n",
			"/etc/p.conf: [upload] formats: 'bmp' is not one" },
		{ "[upload]\nmax_pixels = 1000\n",
			"/etc/p.conf: [upload] max_pixels_progressive is over max_pixels" },
		{ "[upload]\nkey_max_age = 18h\nkey_clock_ahead = 10m\n"
		  "[http]\n[varnish]\nservers = x:y\n",
			"/etc/p.conf: [varnish] servers: 'x:y' is not host:port" },
		{ "[upload]\nkey_max_age = 18h\nkey_clock_ahead = 20m\n",
			"/etc/p.conf:3: key_clock_ahead: '20m' is not between 0 and 10m" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = { 0 };

		if (settings_parse("/etc/p.conf", bad[i].text, &err) != NULL)
			fail_msg("accepted: %s", bad[i].text);
		assert_string_equal(err.text, bad[i].why);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

TEST(storages_of_a_group_may_share_a_bucket)
{
	struct settings *s = good(S3A S3B);

	assert_int_equal(s->storage_count, 2);
	assert_int_equal(s->storages[1].engine, STORAGE_ENGINE_S3);
	assert_int_equal(s->storages[1].store_path.count, 0);
	assert_string_equal(s->storages[1].s3_region, "us-east-1");
	assert_string_equal(s->storages[1].s3_secret_key, "s3_secret_key");
	assert_string_equal(s->storages[1].s3_ca, "");
	settings_free(s);
}

TEST(the_only_storage_needs_no_name)
{
	struct settings *one = good(G01);
	struct settings *two = good(G01 "[storage g02]\nstore_path=/b\nlisten=127.0.0.1:23001\n");
	struct settings *none = good("");
	struct err err;

	assert_string_equal(settings_storage(one, NULL, &err)->name, "g01");
	assert_string_equal(settings_storage(two, "g02", &err)->name, "g02");
	assert_null(settings_storage(two, NULL, &err));
	assert_string_equal(err.text, "/etc/p.conf has 2 storages: name one, as in --instance g01");
	assert_null(settings_storage(two, "g03", &err));
	assert_string_equal(err.text, "/etc/p.conf has no [storage g03]");
	assert_null(settings_storage(none, NULL, &err));
	assert_string_equal(err.text, "/etc/p.conf has no [storage NAME]");
	settings_free(one);
	settings_free(two);
	settings_free(none);
}

static struct settings *with_secrets(char folder[200])
{
	char text[300];

	snprintf(folder, 200, "%s", unit_scratch());
	snprintf(text, sizeof text, "[picstore]\nsecret_dir = %s\n", folder);
	return good(text);
}

static void write_secret(const char *folder, const char *name, const char *text, mode_t mode)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

TEST(a_secret_comes_without_its_line_end)
{
	char folder[200], out[8];
	struct settings *s = with_secrets(folder);
	struct err err;
	size_t len;

	write_secret(folder, "des", "picstore \r\n", 0400);
	assert_int_equal(settings_secret(s, "des", out, sizeof out, &len, &err), 0);
	assert_int_equal(len, 8);
	assert_memory_equal(out, "picstore", 8);
	settings_free(s);
}

TEST(a_secret_that_is_none_is_refused)
{
	char folder[200], path[300], out[8] = "";
	struct settings *s = with_secrets(folder);
	struct err err;
	size_t len = 77;

	assert_int_equal(settings_secret(s, "des", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "No such file"));
	write_secret(folder, "des", "secret", 0640);
	assert_int_equal(settings_secret(s, "des", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "may be used by others (mode 640): chmod 600"));
	write_secret(folder, "des", "nine char", 0600);
	assert_int_equal(settings_secret(s, "des", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "holds more than 8 bytes"));
	write_secret(folder, "des", " \n\n", 0600);
	assert_int_equal(settings_secret(s, "des", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "is empty"));
	snprintf(path, sizeof path, "%s/link", folder);
	assert_int_equal(symlink("des", path), 0);
	assert_int_equal(settings_secret(s, "link", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "is a symbolic link"));
	assert_int_equal(settings_secret(s, ".", out, sizeof out, &len, &err), -1);
	assert_non_null(strstr(err.text, "is not a plain file"));
	assert_int_equal(len, 77); /* left alone */
	settings_free(s);
}
