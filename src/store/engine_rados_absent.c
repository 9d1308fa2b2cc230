/* engine_rados_absent.c - the engine rados of a program that was built without librados. */
#include "store/engine_rados.h"
#include "store/engines.h"

bool engine_rados_is_built(void)
{
	return false;
}

static struct engine *open_rados(const struct engine_conf *conf, struct err *err)
{
	(void)conf;
	err_set(err, ERR_CONFIG,
		"this picstore was built without librados, which engine = rados needs: install "
		"librados-dev and build it again with -Drados=enabled");
	return NULL;
}

const struct engine_ops engine_rados = { .name = "rados", .shared = true, .open = open_rados };
