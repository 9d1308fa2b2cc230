/* storage_move.c - command 200: pictures go to the cold store behind this storage, or come
 * back, and how far that is. */
#include "core/log.h"
#include "fdfs/proto_moving.h"
#include "programs/storage_server/storage_inside.h"

#include <stdio.h>

static bool may_move(void *context)
{
	struct storage *storage = context;

	return storage->mode != STORAGE_READ_ONLY;
}

static void on_failure(void *context, const struct file_id *id, const struct err *err)
{
	(void)context;
	if (id == NULL)
		log_error("moving: %s", err->text);
	else
		log_alarm("moving: %s/%s stays where it is: %s", id->group, id->name, err->text);
}

int storage_move_start(struct storage *storage, struct err *err)
{
	const struct mover_conf conf = {
		.tier = engine_tier(storage->engine),
		.group = storage->own->group,
		.paths = storage->own->store_path.items,
		.path_count = storage->own->store_path.count,
		.may = may_move,
		.failed = on_failure,
		.context = storage,
	};

	if (conf.tier == NULL)
		return 0;
	storage->mover = mover_start(&conf, err);
	return storage->mover == NULL ? -1 : 0;
}

static void put_report(const struct mover_report *now, struct buf *reply)
{
	struct fdfs_move_report report = {
		.order = { (uint8_t)now->order.action, (uint64_t)now->order.before,
			now->order.rate },
		.state = (uint8_t)now->state,
		.volumes = now->volumes,
		.volumes_done = now->volumes_done,
		.looked = now->looked,
		.moved = now->moved,
		.bytes = now->bytes,
		.young = now->young,
		.failed = now->failed,
	};

	snprintf(report.trouble, sizeof report.trouble, "%s", now->trouble.text);
	fdfs_put_move_report(reply, &report);
}

int storage_move(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err)
{
	struct fdfs_move_order asked;
	struct mover_report now;

	if (storage->mover == NULL)
		return err_set(err, ERR_UNSUPPORTED,
			"no cold store stands behind this storage: cold_engine is not set");
	if (request->body.len > 0) {
		struct mover_order order;

		if (!fdfs_get_move_order(request->body, &asked))
			return err_set(err, ERR_BAD_REQUEST, "that is no order to move");
		order = (struct mover_order){ (enum mover_action)asked.action,
			(int64_t)asked.before, asked.rate };
		if (mover_command(storage->mover, &order, err) != 0)
			return -1;
		log_info("moving: order %u, before %lld", asked.action, (long long)asked.before);
	}
	mover_tell(storage->mover, &now);
	put_report(&now, reply);
	return 0;
}
