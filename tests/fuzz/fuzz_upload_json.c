/* fuzz_upload_json.c - a form that is read has a clean file name, and a picture within its limit.
 */
#include "http/upload_form.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upload_form form;
	struct span file;
	struct err err = { 0 };

	if (upload_form_read(&form, SPAN("application/json"), span_of(data, size), &err) < 0) {
		assert(err.code == ERR_BAD_REQUEST);
	} else {
		char again[UPLOAD_FILE_NAME_MAX + 1];
		json_t *text = json_string(form.file_name);

		assert(text != NULL); /* valid UTF-8, whatever came */
		json_decref(text);
		upload_file_name(span_str(form.file_name), again);
		assert(strcmp(form.file_name, again) == 0); /* what is clean stays as it is */
		if (upload_form_file(&form, 100, &file, &err) == 0)
			assert(file.len > 0 && file.len <= 100 && file.len <= size);
		else
			assert(err.code != ERR_NONE);
	}
	upload_form_fini(&form);
	return 0;
}
