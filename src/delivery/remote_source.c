#include "delivery/remote_source.h"

#include "service/fcgi_service.h"

/* Trackers know which groups there are, and every other source is asked before. */
static enum delivery_holds remote_holds(void *context, const struct file_id *id)
{
	(void)context;
	(void)id;
	return DELIVERY_SURELY;
}

static int remote_read(void *context, const struct file_id *id, unsigned flags, uint64_t place_from,
	struct delivery_picture *picture, struct err *err)
{
	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "a storage has to be asked");
	fcgi_service_waits();
	(void)place_from; /* the bytes come through a socket: they lie in no file here */
	return fdfs_download(context, id, picture->content, err);
}

struct delivery_source remote_source_entry(struct fdfs_client *client)
{
	return (struct delivery_source){ remote_holds, remote_read, client };
}
