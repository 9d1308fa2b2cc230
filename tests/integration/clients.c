/* clients.c - asks through libpicstore, as a back end's programmer would write it.
 *
 * usage: clients ADDRESS cut ID | later ID... | now ID... | session KEY | ping
 *        clients ADDRESS put PHOTO | get NUMBER | get_url URL | rename NUMBER NAME |
 *                move NUMBER ALBUM | delete NUMBER URL | settle NUMBER WHAT URL |
 *                count USER ALBUM | albums USER |
 *                list WHICH USER ALBUM AFTER LIMIT NEWEST_FIRST STATES TEXT
 *
 * A PHOTO is its fields with a tab between two each, in the order in which they are printed. */
#include <inttypes.h>
#include <picstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const picstore_error *error)
{
	printf("%d %s\n", error->code, picstore_word(error->code));
	return 1;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static void print_photo(const picstore_photo *photo)
{
	printf("%" PRIu64 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%d\t%d\t%d\t%" PRIu32
	       "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t%d.%d.%d.%d\t%s\t%s\n",
		photo->photoid, photo->uid, photo->albumid, photo->channel, photo->is_head,
		photo->state, photo->type, photo->width, photo->height, photo->crc, photo->length,
		photo->time, photo->ip[0], photo->ip[1], photo->ip[2], photo->ip[3], photo->name,
		photo->url);
}

static void read_photo(const char *text, picstore_photo *photo)
{
	const char *name, *url;
	int at = 0;

	sscanf(text,
		"%" SCNu64 "\t%" SCNu32 "\t%" SCNu32 "\t%" SCNu32 "\t%d\t%d\t%d\t%" SCNu32
		"\t%" SCNu32 "\t%" SCNu32 "\t%" SCNu64 "\t%" SCNu64 "\t%hhu.%hhu.%hhu.%hhu%n",
		&photo->photoid, &photo->uid, &photo->albumid, &photo->channel, &photo->is_head,
		&photo->state, &photo->type, &photo->width, &photo->height, &photo->crc,
		&photo->length, &photo->time, &photo->ip[0], &photo->ip[1], &photo->ip[2],
		&photo->ip[3], &at);
	name = strchr(text + at, '\t') + 1;
	url = strchr(name, '\t') + 1;
	snprintf(photo->name, sizeof photo->name, "%.*s", (int)(url - 1 - name), name);
	snprintf(photo->url, sizeof photo->url, "%s", url);
}

static int list(picstore *store, char **words, picstore_error *error)
{
	static picstore_photo photos[PICSTORE_PAGE_MAX];
	picstore_query query = { .uid = (uint32_t)number(words[1]),
		.albumid = (uint32_t)number(words[2]),
		.after = number(words[3]),
		.newest_first = words[5][0] == '1',
		.states = (unsigned)number(words[6]),
		.text = words[7] };
	size_t count;
	int more;
	int result = picstore_photo_list(store, (picstore_list)number(words[0]), &query, photos,
		number(words[4]), &count, &more, error);

	if (result != PICSTORE_OK)
		return result;
	printf("%d\n", more);
	for (size_t i = 0; i < count; i++)
		print_photo(&photos[i]);
	return result;
}

static int albums(picstore *store, uint32_t uid, picstore_error *error)
{
	picstore_query query = { .uid = uid };
	picstore_album album;
	size_t count;
	int more = 1, result = PICSTORE_OK;

	while (more && result == PICSTORE_OK) {
		result = picstore_albums(store, &query, &album, 1, &count, &more, error);
		if (result == PICSTORE_OK && count == 1)
			printf("%" PRIu32 "\t%" PRIu64 "\n", album.albumid, album.photos);
	}
	return result;
}

/* The commands of metadata_dbsvr. */
static int photos(picstore *store, const char *what, char **words, picstore_error *error)
{
	picstore_photo photo = { 0 };
	uint64_t count, bytes;
	uint32_t album;
	int result;

	if (strcmp(what, "put") == 0) {
		read_photo(words[0], &photo);
		result = picstore_photo_put(store, &photo, error);
		if (result == PICSTORE_OK)
			printf("%" PRIu32 " %" PRIu64 "\n", photo.albumid, photo.photoid);
	} else if (strcmp(what, "get") == 0 || strcmp(what, "get_url") == 0) {
		result = what[3] == '\0'
				 ? picstore_photo_get(store, number(words[0]), &photo, error)
				 : picstore_photo_get_url(store, words[0], &photo, error);
		if (result == PICSTORE_OK)
			print_photo(&photo);
	} else if (strcmp(what, "rename") == 0) {
		result = picstore_photo_rename(store, number(words[0]), words[1], error);
	} else if (strcmp(what, "move") == 0) {
		album = (uint32_t)number(words[1]);
		result = picstore_photo_move(store, number(words[0]), &album, error);
		if (result == PICSTORE_OK)
			printf("%" PRIu32 "\n", album);
	} else if (strcmp(what, "delete") == 0) {
		result = picstore_photo_delete(store, number(words[0]), words[1], error);
	} else if (strcmp(what, "settle") == 0) {
		result = picstore_photo_settle(store, number(words[0]),
			(picstore_settle)number(words[1]), words[2], error);
	} else if (strcmp(what, "count") == 0) {
		picstore_query query = { .uid = (uint32_t)number(words[0]),
			.albumid = (uint32_t)number(words[1]) };

		result = picstore_photo_count(store, &query, &count, &bytes, error);
		if (result == PICSTORE_OK)
			printf("%" PRIu64 " %" PRIu64 "\n", count, bytes);
	} else if (strcmp(what, "albums") == 0) {
		result = albums(store, (uint32_t)number(words[0]), error);
	} else {
		result = list(store, words, error);
	}
	return result;
}

int main(int argc, char **argv)
{
	picstore_options options = { .size = sizeof options, .user = 10001, .timeout_ms = 20000 };
	picstore_picture pictures[100] = { { 0, NULL } };
	size_t count = argc > 3 ? (size_t)argc - 3 : 0;
	picstore_error error;
	char url[PICSTORE_URL_SIZE];
	uint32_t used, left;
	picstore *store = picstore_open(argc > 2 ? argv[1] : "", &options, &error);
	int result = 0;

	if (store == NULL)
		return fail(&error);
	for (size_t i = 0; i < count && i < 100; i++)
		pictures[i].url = argv[3 + i];
	if (strcmp(argv[2], "cut") == 0 && count == 1) {
		picstore_cut_request cut = { 0, argv[3], 300, 200, -10, 20, 150, 100 };

		result = picstore_cut(store, &cut, url, &error);
		if (result == PICSTORE_OK)
			puts(url);
	} else if (strcmp(argv[2], "later") == 0) {
		result = picstore_delete_later(store, pictures, count, &error);
	} else if (strcmp(argv[2], "now") == 0) {
		result = picstore_delete_now(store, pictures, count, &error);
	} else if (strcmp(argv[2], "session") == 0 && count == 1) {
		result = picstore_session_use(store, argv[3], &used, &left, &error);
		if (result == PICSTORE_OK)
			printf("%u %u\n", (unsigned)used, (unsigned)left);
	} else if (strcmp(argv[2], "ping") == 0) {
		result = picstore_ping(store, &error);
	} else {
		result = photos(store, argv[2], argv + 3, &error);
	}
	picstore_close(store);
	return result == PICSTORE_OK ? 0 : fail(&error);
}
