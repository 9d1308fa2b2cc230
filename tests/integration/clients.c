/* clients.c - asks through libpicstore, as a back end's programmer would write it.
 *
 * usage: clients ADDRESS cut ID | later ID... | now ID... | session KEY | ping */
#include <picstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const picstore_error *error)
{
	printf("%d %s\n", error->code, picstore_word(error->code));
	return 1;
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
	} else {
		result = picstore_ping(store, &error);
	}
	picstore_close(store);
	return result == PICSTORE_OK ? 0 : fail(&error);
}
