#include "deletion/derived_cuts.h"

#include <stdlib.h>

static int list(void *context, const struct file_id *source,
	void (*found)(void *found_context, const struct file_id *id), void *found_context,
	struct err *err)
{
	char text[FILE_ID_TEXT_MAX + 1];
	struct cut_name *names;
	size_t count;

	file_id_format(source, text);
	if (cut_memory_list(context, text, &names, &count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct file_id id;

		/* What is no id is nothing that a store or a cache could have. */
		if (file_id_parse(span_str(names[i].text), &id))
			found(found_context, &id);
	}
	free(names);
	return 0;
}

static int making(void *context, const struct file_id *source, int64_t *open, int64_t *in_vain,
	struct err *err)
{
	char text[FILE_ID_TEXT_MAX + 1];

	file_id_format(source, text);
	return cut_memory_making(context, text, open, in_vain, err);
}

static int forget(void *context, const struct file_id *source, struct err *err)
{
	char text[FILE_ID_TEXT_MAX + 1];

	file_id_format(source, text);
	return cut_memory_forget(context, text, err);
}

struct derived derived_cuts(struct cut_memory *memory)
{
	return (struct derived){
		.list = list, .making = making, .forget = forget, .context = memory
	};
}
