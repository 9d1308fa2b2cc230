/* replay_main.c - runs a fuzz target over every file of its corpus folder.
 *
 * The bytes are handed over in memory of exactly their size, so that a sanitizer sees
 * the first byte read behind them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size);

	if (file == NULL || (data == NULL && size > 0) || fread(data, 1, size, file) != size) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
	printf("%s\n", path); /* the last line names the file that fails */
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	size_t count = 0;
	DIR *folder;

	if (argc != 2 || (folder = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	while ((entry = readdir(folder)) != NULL) {
		char path[4096];
		struct stat st;

		snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		replay(path, (size_t)st.st_size);
		count++;
	}
	closedir(folder);
	if (count == 0)
		fprintf(stderr, "%s holds no seeds\n", argv[1]);
	return count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
