#include "core/err.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

TEST(the_page_of_codes_has_the_table_as_it_is)
{
	static char page[65536];
	FILE *file = fopen(ERRORS_MD, "r");
	size_t rows = 0;

	assert_non_null(file);
	page[fread(page, 1, sizeof page - 1, file)] = '\0';
	fclose(file);
	for (int i = ERR_NONE + 1; i < ERR_COUNT; i++) {
		enum err_code code = (enum err_code)i;
		char row[400];

		snprintf(row, sizeof row, "\n| `%s` | %d | %d | %s |\n", err_word(code),
			err_http_status(code), err_fdfs_status(code), err_meaning(code));
		if (strstr(page, row) == NULL)
			fail_msg("docs/errors.md lacks this row: %s", row + 1);
	}
	for (const char *at = page; (at = strstr(at, "\n| `")) != NULL; at++)
		rows++;
	assert_int_equal(rows, ERR_COUNT - 1);
}
