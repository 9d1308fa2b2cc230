/* photos.h - the real pictures of tests/data/photos, read into memory. */
#pragma once

#include "core/buf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct photo {
	uint8_t data[600000];
	size_t len;
};

static inline struct photo *photo_read(const char *name)
{
	struct photo *photo = malloc(sizeof *photo);
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", PHOTOS, name);
	file = fopen(path, "rb");
	assert_non_null(photo);
	assert_non_null(file);
	photo->len = fread(photo->data, 1, sizeof photo->data, file);
	assert_true(photo->len > 0 && photo->len < sizeof photo->data);
	fclose(file);
	return photo;
}

static inline struct span photo_span(const struct photo *photo)
{
	return span_of(photo->data, photo->len);
}

/* The same, kept until the end; not for threads that read a photo first. */
static inline struct span photo(const char *name)
{
	static struct {
		const char *name;
		struct photo *photo;
	} kept[32];
	size_t i = 0;

	while (kept[i].name != NULL && strcmp(kept[i].name, name) != 0)
		i++;
	assert_true(i + 1 < sizeof kept / sizeof kept[0]);
	if (kept[i].name == NULL) {
		kept[i].photo = photo_read(name);
		kept[i].name = name;
	}
	return photo_span(kept[i].photo);
}
