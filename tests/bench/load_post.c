/* load_post - uploads pictures over HTTP, on kept connections, and checks the answers.
 *
 *     load_post -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-s AT] -k KEY PICTURE
 *     load_post -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] [-s AT] -u FOLDER PICTURE
 *
 * With -k each is a form that is POSTed to /upload.cgi with that session key; size and CRC in
 * every id that comes back must be those of what was sent.  With -u each is PUT as
 * FOLDER/NUMBER.jpg, NUMBER as eight hex digits, which has to make a new file (201).
 * What is sent is as in load_fdfs; with -s the number replaces the bytes from AT on, where
 * a picture may have a comment, so that it stays one that can be decoded.
 *
 * Prints the report of load.h.  Exit status 1 if an answer was wrong. */
#include "load_upload.h"

#include "core/file_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024 };

#define BOUNDARY "picstore-bench-boundary"

static struct load_uploads uploads = { .connections = 16 };
static const char *key, *folder;
static size_t checked;

static void ask_post(struct load_upload *upload)
{
	char fields[LOAD_AROUND_MAX / 2];
	int before = snprintf(fields, sizeof fields,
		"--" BOUNDARY "\r\n"
		"Content-Disposition: form-data; name=\"session_key\"\r\n\r\n%s\r\n"
		"--" BOUNDARY "\r\n"
		"Content-Disposition: form-data; name=\"file\"; filename=\"%08x.jpg\"\r\n"
		"Content-Type: image/jpeg\r\n\r\n",
		key, upload->number);
	int tail = snprintf((char *)upload->tail, sizeof upload->tail, "\r\n--" BOUNDARY "--\r\n");
	int head;

	if (before >= (int)sizeof fields)
		load_die("the key is too long");
	head = snprintf((char *)upload->head, sizeof upload->head,
		"POST /upload.cgi HTTP/1.1\r\nHost: pictures.example\r\n"
		"Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		(size_t)before + upload->len + (size_t)tail, fields);
	upload->head_len = (size_t)head;
	upload->tail_len = (size_t)tail;
}

static void ask_put(struct load_upload *upload)
{
	int head = snprintf((char *)upload->head, sizeof upload->head,
		"PUT %s/%08x.jpg HTTP/1.1\r\nHost: pictures.example\r\n"
		"Content-Length: %zu\r\n\r\n",
		folder, upload->number, upload->len);

	if (head >= LOAD_AROUND_MAX)
		load_die("the folder's name is too long");
	upload->head_len = (size_t)head;
}

/* The body of the whole answer, or NULL if more must come. */
static const char *body_of(const struct load_upload *upload)
{
	const char *answer = (const char *)upload->answer, *end = strstr(answer, "\r\n\r\n");
	const char *line = answer;
	size_t len = 0;

	if (end == NULL)
		return NULL;
	while ((line = strstr(line, "\r\n")) != NULL && line < end) {
		line += 2;
		if (strncasecmp(line, "content-length:", 15) == 0)
			len = strtoul(line + 15, NULL, 10);
		if (strncasecmp(line, "transfer-encoding:", 18) == 0)
			load_die("upload %zu: an answer in pieces", upload->index);
	}
	end += 4;
	return upload->answer_len - (size_t)(end - answer) < len ? NULL : end;
}

/* The id in the JSON that upload.cgi answers; its slashes may have a backslash each. */
static bool find_id(const char *json, struct file_id *id)
{
	const char *from = strstr(json, "\"lloc\":\"");
	char text[FILE_ID_TEXT_MAX + 1];
	size_t len = 0;

	if (from == NULL)
		return false;
	for (from += 8; *from != '"' && *from != '\0' && len < FILE_ID_TEXT_MAX; from++)
		if (*from != '\\')
			text[len++] = *from;
	return file_id_parse(span_of(text, len), id);
}

static bool take(struct load_upload *upload)
{
	const char *body = body_of(upload), *wanted = key != NULL ? "200" : "201";
	struct file_id id;

	if (body == NULL)
		return false;
	if (strncmp((char *)upload->answer, "HTTP/1.1 ", 9) != 0 ||
		strncmp((char *)upload->answer + 9, wanted, 3) != 0)
		load_die("upload %zu was refused: %.300s", upload->index, (char *)upload->answer);
	if (key == NULL)
		return true;
	checked++;
	if (!find_id(body, &id))
		load_uploads_wrong(&uploads, upload->index, "the answer has no id");
	else if (id.size != upload->len || id.crc != upload->crc)
		load_uploads_wrong(&uploads, upload->index, "the id has another size or CRC");
	return true;
}

int main(int argc, char **argv)
{
	for (int opt; (opt = getopt(argc, argv, "a:c:n:f:k:s:u:")) != -1;)
		if (opt == 'a')
			uploads.address = optarg;
		else if (opt == 'c')
			uploads.connections = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'n')
			uploads.count = (size_t)load_number(optarg, 1, 10000000);
		else if (opt == 'f')
			uploads.first = (unsigned)load_number(optarg, 0, UINT32_MAX);
		else if (opt == 'k')
			key = optarg;
		else if (opt == 's')
			uploads.stamp_at = (size_t)load_number(optarg, 0, 1000000);
		else if (opt == 'u')
			folder = optarg;
		else
			return 2;
	if (uploads.address == NULL || uploads.count == 0 || (key == NULL) == (folder == NULL) ||
		optind != argc - 1)
		load_die("usage: load_post -a HOST:PORT -c CONNECTIONS -n COUNT [-f FIRST] "
			 "[-s AT] -k KEY|-u FOLDER PICTURE");
	uploads.protocol = (struct load_protocol){ key != NULL ? ask_post : ask_put, take };
	uploads.picture = load_picture(argv[optind], &uploads.picture_len);
	load_uploads_run(&uploads);
	load_report(&uploads.times, uploads.wrong, checked, uploads.bytes);
	return uploads.wrong == 0 ? 0 : 1;
}
