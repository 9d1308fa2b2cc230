/* taken_back.h - which deletes have been taken back, and where in the log that stands. */
#pragma once

#include "wire/package.h"

struct taken_back_url;

/* Zeroed at first. */
struct taken_back {
	struct taken_back_url *urls;
	size_t count, cap;
	bool sorted;
};

void taken_back_fini(struct taken_back *set);

/* An undelete of `url` stands at `place`; places grow from line to line. */
void taken_back_add(struct taken_back *set, const char *url, uint64_t place);

/* Does one stand behind `place`? */
bool taken_back_has(struct taken_back *set, const char *url, uint64_t place);
