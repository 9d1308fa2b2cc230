#include "store/engine_s3.h"

#include "core/clock.h"
#include "store/engine_object.h"
#include "store/engines.h"
#include "store/s3_store.h"

static struct engine *open_s3(const struct engine_conf *conf, struct err *err)
{
	struct object_store *store;

	if (conf->s3 == NULL || conf->s3->in_flight < 2 ||
		!file_id_group_ok(span_str(conf->group))) {
		err_set(err, ERR_CONFIG, "there must be a group and what tells of its bucket");
		return NULL;
	}
	store = s3_store_open(
		conf->s3, conf->group, conf->now != NULL ? conf->now : clock_unix, err);
	if (store == NULL)
		return NULL;
	return engine_object_new(&engine_s3, conf, conf->s3->in_flight, store);
}

const struct engine_ops engine_s3 = {
	.name = "s3",
	.shared = true,
	.open = open_s3,
	.close = engine_object_close,
	.put = engine_object_put,
	.remove = engine_object_remove,
	.get = engine_object_get,
	.stat = engine_object_stat,
	.walk = engine_object_walk,
	.space = engine_object_space,
	.health = engine_object_health,
};
