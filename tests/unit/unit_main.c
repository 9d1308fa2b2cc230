#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TESTS_MAX = 500, FOLDERS_MAX = 500 };

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;
static char *folders[FOLDERS_MAX];
static size_t folder_count;

/* What Debian's libraries lose by themselves, for the leak sanitizer: the HEVC encoder
 * keeps a few hundred bytes for each picture. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:libx265.so\n";
}

void unit_add(const char *name, CMUnitTestFunction function)
{
	if (test_count == TESTS_MAX)
		abort();
	tests[test_count++] = (struct CMUnitTest){ .name = name, .test_func = function };
}

const char *unit_scratch(void)
{
	char *folder = NULL;

	if (folder_count == FOLDERS_MAX || asprintf(&folder, "/tmp/picstore-unit-XXXXXX") < 0)
		abort();
	if (mkdtemp(folder) == NULL)
		abort();
	return folders[folder_count++] = folder;
}

static int remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	remove(path);
	return 0;
}

int main(int argc, char **argv)
{
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = _cmocka_run_group_tests(argv[0], tests, test_count, NULL, NULL);
	for (size_t i = 0; i < folder_count; i++) {
		nftw(folders[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		free(folders[i]);
	}
	return failed == 0 ? 0 : 1;
}
