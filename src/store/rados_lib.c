#include "store/rados_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

struct rados_lib rados_lib;

static const struct {
	const char *name;
	size_t offset; /* in struct rados_lib */
} functions[] = {
#define NAME(name) { "rados_" #name, offsetof(struct rados_lib, name) },
	RADOS_FUNCTIONS(NAME)
#undef NAME
};

static struct err failure;

static void load(void)
{
	void *library = dlopen(NULL, RTLD_NOW);

	if (library == NULL || dlsym(library, functions[0].name) == NULL)
		library = dlopen("librados.so.2", RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		err_set(&failure, ERR_CONFIG,
			"engine = rados needs librados, Debian's package librados2: %.100s",
			dlerror());
		return;
	}
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		void *found = dlsym(library, functions[i].name);

		if (found == NULL) {
			err_set(&failure, ERR_CONFIG, "this librados has no %s", functions[i].name);
			return;
		}
		/* POSIX promises that a function's address fits a data pointer. */
		memcpy((char *)&rados_lib + functions[i].offset, &found, sizeof found);
	}
}

int rados_lib_load(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (failure.code == ERR_NONE)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}
