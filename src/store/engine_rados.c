#include "store/engine_rados.h"

#include "store/engine_object.h"
#include "store/engines.h"
#include "store/rados_store.h"

bool engine_rados_is_built(void)
{
	return true;
}

static struct engine *open_rados(const struct engine_conf *conf, struct err *err)
{
	struct object_store *store;

	if (conf->rados == NULL || conf->rados->in_flight < 2 ||
		!file_id_group_ok(span_str(conf->group))) {
		err_set(err, ERR_CONFIG, "there must be a group and what tells of its pool");
		return NULL;
	}
	store = rados_store_open(conf->rados, conf->group, err);
	if (store == NULL)
		return NULL;
	return engine_object_new(&engine_rados, conf, conf->rados->in_flight, store);
}

const struct engine_ops engine_rados = {
	.name = "rados",
	.shared = true,
	.open = open_rados,
	.close = engine_object_close,
	.put = engine_object_put,
	.remove = engine_object_remove,
	.get = engine_object_get,
	.read = engine_object_read,
	.stat = engine_object_stat,
	.walk = engine_object_walk,
	.space = engine_object_space,
	.health = engine_object_health,
};
