#include "programs/picstore/up_vcl.h"

#include "core/address.h"
#include "service/store_place.h"

#include <stdio.h>
#include <string.h>

enum { UPLOAD_SHARES = 16, UPLOADS_OF_SHARE = 120 };

/* Both answer "/" at once, and each in its own way. */
static void put_probe(struct buf *out, const char *name, int status)
{
	buf_printf(out,
		"probe %s {\n"
		"\t.request = \"GET / HTTP/1.1\" \"Host: probe\" \"Connection: close\";\n"
		"\t.expected_response = %d;\n"
		"\t.interval = 300ms; .timeout = 1s;\n"
		"\t.window = 4; .threshold = 3; .initial = 3;\n"
		"}\n",
		name, status);
}

static void put_backend(struct buf *out, const char *name, const char *where, const char *probe)
{
	buf_printf(out,
		"backend %s {\n"
		"\t%s\n"
		"\t.probe = %s;\n"
		"\t.connect_timeout = 2s; .first_byte_timeout = 60s;\n"
		"\t.between_bytes_timeout = 30s; .max_connections = 1000;\n"
		"}\n",
		name, where, probe);
}

/* "storage_3", or false for a storage without HTTP. */
static bool backend_of(const struct settings *settings, size_t i, char name[32])
{
	snprintf(name, 32, "storage_%zu", i);
	return settings->storages[i].http_listen[0] != '\0';
}

static void put_storage(struct buf *out, const struct settings *settings, size_t i)
{
	char name[32], where[ADDRESS_HOST_MAX + 64];
	struct address address;

	if (!backend_of(settings, i, name) ||
		!address_parse(settings->storages[i].http_listen, &address))
		return;
	if (strcmp(address.host, "0.0.0.0") == 0 || strcmp(address.host, "::") == 0)
		strcpy(address.host, "127.0.0.1");
	if (address.is_unix)
		snprintf(where, sizeof where, ".path = \"%s\";", address.host);
	else
		snprintf(where, sizeof where, ".host = \"%s\"; .port = \"%u\";", address.host,
			address.port);
	put_backend(out, name, where, "storage_probe");
}

/* Is this the first storage of its group that has HTTP? */
static bool leads_group(const struct settings *settings, size_t i)
{
	char name[32];
	bool first = backend_of(settings, i, name);

	for (size_t j = 0; j < i && first; j++)
		first = !backend_of(settings, j, name) ||
			strcmp(settings->storages[j].group, settings->storages[i].group) != 0;
	return first;
}

/* Two directors: those who may have it in turn, and who stands by. */
static void put_directors(
	struct buf *out, const struct settings *settings, const char *label, const char *group)
{
	char name[32];

	buf_printf(out, "\tnew in_turn_%s = directors.round_robin();\n", label);
	for (size_t i = 0; i < settings->storage_count; i++)
		if (backend_of(settings, i, name) &&
			(group == NULL || strcmp(settings->storages[i].group, group) == 0))
			buf_printf(out, "\tin_turn_%s.add_backend(%s);\n", label, name);
	buf_printf(out,
		"\tnew from_%s = directors.fallback();\n"
		"\tfrom_%s.add_backend(in_turn_%s.backend());\n"
		"\tfrom_%s.add_backend(gateway);\n",
		label, label, label, label);
}

static void put_choice(struct buf *out, const struct settings *settings)
{
	char label[40];

	buf_put_str(out, "sub vcl_init {\n");
	put_directors(out, settings, "any", NULL);
	for (size_t i = 0; i < settings->storage_count; i++) {
		snprintf(label, sizeof label, "group_%s", settings->storages[i].group);
		if (leads_group(settings, i))
			put_directors(out, settings, label, settings->storages[i].group);
	}
	buf_put_str(out, "}\nsub vcl_backend_fetch {\n"
			 "\tset bereq.backend = from_any.backend();\n");
	for (size_t i = 0; i < settings->storage_count; i++)
		if (leads_group(settings, i))
			buf_printf(out,
				"\tif (bereq.url ~ \"^/%s/\") {\n"
				"\t\tset bereq.backend = from_group_%s.backend();\n\t}\n",
				settings->storages[i].group, settings->storages[i].group);
	buf_put_str(out, "}\n");
}

/* An upload has a connection for as long as its client pleases, and Varnish can bound those of a
 * backend alone.  So there are several to the same place, and an address always has the same one:
 * whoever dawdles in hundreds of uploads uses up a share, and the others go on.  All of them are
 * fewer than lighttpd takes. */
static void put_shares(struct buf *out, const char *where)
{
	for (int i = 0; i < UPLOAD_SHARES; i++)
		buf_printf(out,
			"backend uploads_%d {\n"
			"\t%s\n"
			"\t.connect_timeout = 2s; .max_connections = %d;\n"
			"}\n",
			i, where, UPLOADS_OF_SHARE);
	buf_put_str(out, "import directors;\nsub vcl_init {\n"
			 "\tnew upload_shares = directors.hash();\n");
	for (int i = 0; i < UPLOAD_SHARES; i++)
		buf_printf(out, "\tupload_shares.add_backend(uploads_%d, 1.0);\n", i);
	buf_put_str(out, "}\nsub vcl_pipe {\n"
			 "\tset bereq.backend = upload_shares.backend(client.identity);\n}\n");
}

void up_vcl_put(const struct up_place *place, const struct settings *settings, struct buf *out)
{
	char where[UP_PATH + 40];

	buf_put_str(out, "vcl 4.1;\n# Written by \"picstore up\" at each start.\n");
	put_probe(out, "gateway_probe", 404);
	snprintf(where, sizeof where, ".path = \"%s/gateway.sock\";", place->sockets);
	put_backend(out, "gateway", where, "gateway_probe");
	put_backend(out, "uploads", where, "gateway_probe");
	put_shares(out, where);
	if (settings->fetch_from != 0 && store_place_is_here(settings)) {
		put_probe(out, "storage_probe", 400);
		for (size_t i = 0; i < settings->storage_count; i++)
			put_storage(out, settings, i);
		put_choice(out, settings);
	}
	buf_printf(out,
		"acl purgers { \"127.0.0.1\"; \"::1\"; }\n"
		"include \"%s/picstore.vcl\";\n",
		place->share);
}
