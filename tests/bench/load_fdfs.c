/* load_fdfs - uploads pictures to a storage over the FastDFS protocol and checks the ids.
 *
 *     load_fdfs -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-l] [-v SAMPLES] [-o LIST]
 *               PICTURE
 *
 * Each upload sends PICTURE with its running number, from FIRST on, as eight hex digits
 * in place of the bytes in its middle, so that no two are the same.  With -l it sends
 * only the beginning of PICTURE, 1,000 to 100,000 bytes, log-normal, 43,000 on average; the
 * number says how many.  Size and CRC in every id that comes back must be those of what
 * was sent.  Afterwards, and not timed, SAMPLES of them are downloaded again and compared.
 *
 * LIST gets a line "/ID LENGTH CRC32" for each, which is what load_http reads.
 * Prints the report of load.h.  Exit status 1 if an answer was wrong. */
#include "load_upload.h"

#include "core/buf.h"
#include "core/crc32.h"
#include "core/file_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADER_LEN = 10,
	BODY_LEN = 15, /* path, size, ext */
	CMD_UPLOAD = 11,
	CMD_DOWNLOAD = 14,
	CMD_ANSWER = 100,
	CONNECTIONS_MAX = 1024,
};

/* What was stored: for LIST and for the samples. */
struct stored {
	char id[FILE_ID_TEXT_MAX + 1];
	uint32_t crc, len;
};

static struct load_uploads uploads = { .connections = 16 };
static char ext[FILE_ID_EXT_MAX + 1];
static size_t checked;
static struct stored *stored;

static void ask(struct load_upload *upload)
{
	upload->head_len = HEADER_LEN + BODY_LEN;
	memset(upload->head, 0, upload->head_len);
	store_be64(upload->head, BODY_LEN + upload->len);
	upload->head[8] = CMD_UPLOAD;
	store_be64(upload->head + HEADER_LEN + 1, upload->len);
	memcpy(upload->head + HEADER_LEN + 9, ext, strlen(ext));
}

/* The answer is complete: is it the id of what was sent? */
static void check_answer(const struct load_upload *upload)
{
	const uint8_t *group = upload->answer + HEADER_LEN;
	struct span name = span_of(
		group + FILE_ID_GROUP_MAX, upload->answer_len - HEADER_LEN - FILE_ID_GROUP_MAX);
	struct stored *to = &stored[upload->index];
	struct file_id id;

	if (!file_id_parse_name(
		    span_of(group, strnlen((const char *)group, FILE_ID_GROUP_MAX)), name, &id)) {
		load_uploads_wrong(&uploads, upload->index, "the answer has no id");
		return;
	}
	if (id.size != upload->len || id.crc != upload->crc)
		load_uploads_wrong(&uploads, upload->index, "the id has another size or CRC");
	file_id_format(&id, to->id);
	to->crc = upload->crc;
	to->len = (uint32_t)upload->len;
}

static bool take(struct load_upload *upload)
{
	uint64_t len;

	if (upload->answer_len < HEADER_LEN)
		return false;
	len = load_be64(upload->answer);
	if (upload->answer[8] != CMD_ANSWER || upload->answer[9] != 0)
		load_die("upload %zu was refused with status %u", upload->index, upload->answer[9]);
	if (len < FILE_ID_GROUP_MAX || len > FILE_ID_GROUP_MAX + FILE_ID_NAME_MAX)
		load_die("upload %zu: an answer of %llu bytes", upload->index,
			(unsigned long long)len);
	if (upload->answer_len < HEADER_LEN + len)
		return false;
	check_answer(upload);
	return true;
}

static void read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t got = recv(fd, to + have, len - have, 0);

		if (got <= 0)
			load_die("a download ended early");
		have += (size_t)got;
	}
}

/* Download an upload again and compare; `fd` is a blocking socket. */
static void check_sample(int fd, size_t index, uint8_t *body)
{
	const char *name = strchr(stored[index].id, '/') + 1;
	size_t group_len = (size_t)(name - 1 - stored[index].id), len = stored[index].len;
	uint8_t head[HEADER_LEN];
	struct buf request;

	buf_init(&request, 1024);
	buf_put_be64(&request, 16 + FILE_ID_GROUP_MAX + strlen(name));
	buf_put_u8(&request, CMD_DOWNLOAD);
	buf_put_u8(&request, 0);
	buf_put_be64(&request, 0); /* from the start */
	buf_put_be64(&request, 0); /* to the end */
	buf_put(&request, stored[index].id, group_len);
	buf_put(&request, (const uint8_t[FILE_ID_GROUP_MAX]){ 0 }, FILE_ID_GROUP_MAX - group_len);
	buf_put_str(&request, name);
	if (!buf_ok(&request) ||
		send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		load_die("%s takes no download", uploads.address);
	buf_fini(&request);
	read_all(fd, head, sizeof head);
	checked++;
	if (head[9] != 0 || load_be64(head) != len) {
		load_uploads_wrong(&uploads, index, "cannot be downloaded again");
		return;
	}
	read_all(fd, body, len);
	if (crc32_add(0, span_of(body, len)) != stored[index].crc)
		load_uploads_wrong(&uploads, index, "was downloaded with other bytes");
}

static void check_samples(size_t samples)
{
	int fd = load_connect(uploads.address);
	uint8_t *body = malloc(uploads.picture_len);

	if (body == NULL || fcntl(fd, F_SETFL, 0) != 0)
		load_die("out of memory");
	for (size_t i = 0; i < samples; i++) {
		size_t index = i * uploads.count / samples;

		if (stored[index].id[0] != '\0')
			check_sample(fd, index, body);
	}
	free(body);
	close(fd);
}

static void write_list(const char *file)
{
	FILE *out = fopen(file, "we");

	if (out == NULL)
		load_die("cannot write %s: %s", file, strerror(errno));
	for (size_t i = 0; i < uploads.count; i++)
		fprintf(out, "/%s %u %08x\n", stored[i].id, (unsigned)stored[i].len,
			(unsigned)stored[i].crc);
	if (fclose(out) != 0)
		load_die("cannot write %s: %s", file, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *list = NULL, *dot;
	size_t samples = 0;

	for (int opt; (opt = getopt(argc, argv, "a:c:n:f:lv:o:")) != -1;)
		if (opt == 'a')
			uploads.address = optarg;
		else if (opt == 'c')
			uploads.connections = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'n')
			uploads.count = (size_t)load_number(optarg, 1, 10000000);
		else if (opt == 'f')
			uploads.first = (unsigned)load_number(optarg, 0, UINT32_MAX);
		else if (opt == 'l')
			uploads.drawn = true;
		else if (opt == 'v')
			samples = (size_t)load_number(optarg, 0, 1000000);
		else if (opt == 'o')
			list = optarg;
		else
			return 2;
	if (uploads.address == NULL || uploads.count == 0 || optind != argc - 1)
		load_die("usage: load_fdfs -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-l] "
			 "[-v SAMPLES] [-o LIST] PICTURE");
	uploads.protocol = (struct load_protocol){ ask, take };
	uploads.picture = load_picture(argv[optind], &uploads.picture_len);
	dot = strrchr(argv[optind], '.');
	if (dot != NULL && file_id_ext_ok(span_str(dot + 1)))
		strcpy(ext, dot + 1);
	stored = calloc(uploads.count, sizeof *stored);
	if (stored == NULL)
		load_die("out of memory");
	load_uploads_run(&uploads);
	check_samples(samples < uploads.count ? samples : uploads.count);
	if (list != NULL)
		write_list(list);
	free(stored);
	load_report(&uploads.times, uploads.wrong, checked, uploads.bytes);
	return uploads.wrong == 0 ? 0 : 1;
}
