#include "deletion/taken_back.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct taken_back_url {
	struct package_url url;
	uint64_t place;
};

void taken_back_fini(struct taken_back *set)
{
	free(set->urls);
	*set = (struct taken_back){ 0 };
}

void taken_back_add(struct taken_back *set, const char *url, uint64_t place)
{
	struct taken_back_url *one;

	if (set->count == set->cap) {
		set->cap = set->cap == 0 ? 64 : set->cap * 2;
		set->urls = realloc(set->urls, set->cap * sizeof *set->urls);
		assert(set->urls != NULL);
	}
	one = &set->urls[set->count++];
	one->place = place;
	snprintf(one->url.text, sizeof one->url.text, "%s", url);
	set->sorted = false;
}

/* By url, the last place of each first. */
static int compare(const void *one, const void *other)
{
	const struct taken_back_url *a = one, *b = other;
	int order = strcmp(a->url.text, b->url.text);

	return order != 0 ? order : (a->place < b->place) - (a->place > b->place);
}

bool taken_back_has(struct taken_back *set, const char *url, uint64_t place)
{
	size_t low = 0, high = set->count;

	if (!set->sorted && set->count > 0)
		qsort(set->urls, set->count, sizeof *set->urls, compare);
	set->sorted = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(set->urls[middle].url.text, url) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && strcmp(set->urls[low].url.text, url) == 0 &&
	       set->urls[low].place > place;
}
