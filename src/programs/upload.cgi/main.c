/* upload.cgi - takes pictures in over HTTP.
 *
 * POST /upload.cgi with a session key and a picture is answered with the picture's id,
 * once the picture is known to be one and is safe in the store. */
#include "programs/upload.cgi/upload.h"
#include "service/reach.h"

static const struct service upload = {
	.name = "upload.cgi",
	.summary = "takes pictures in over HTTP",
	.counters = upload_counters,
	.counter_count = UPLOAD_FIGURES,
	.reach = REACH_NETWORK | REACH_SECRETS,
	.listen = upload_listen,
	.open = upload_open,
	.run = upload_run,
	.stop = upload_stop,
	.close = upload_close,
};

int main(int argc, char **argv)
{
	return service_main(&upload, argc, argv);
}
