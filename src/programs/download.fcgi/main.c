/* download.fcgi - hands out pictures: GET /<id> and GET /download.fcgi/<id>.
 *
 * The bytes come from the volumes of this machine or from a storage over the FastDFS
 * protocol, and are checked against the id either way.  A large picture that lies here
 * is sent by the web server, as a slice of its volume. */
#include "programs/download.fcgi/download.h"
#include "service/reach.h"

static const struct service download = {
	.name = "download.fcgi",
	.summary = "hands out pictures over FastCGI",
	.counters = download_counters,
	.counter_count = DELIVERY_FIGURES,
	.reach = REACH_NETWORK | REACH_STORES,
	.listen = download_listen, /* the socket is bound, privileges are still there */
	.open = download_open,     /* the sources of pictures are set up */
	.run = download_run,
	.stop = download_stop,
	.close = download_close,
};

int main(int argc, char **argv)
{
	return service_main(&download, argc, argv);
}
