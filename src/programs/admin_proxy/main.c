/* admin_proxy - one port for all services that speak framed packages.
 *
 * A package goes to a back end of the service that its command belongs to, and the reply
 * goes back to whoever asked.  It keeps nothing. */
#include "programs/admin_proxy/admin_proxy.h"
#include "service/reach.h"

static const struct service admin_proxy = {
	.name = "admin_proxy",
	.summary = "takes framed packages to the services that answer them",
	.has_ports = true,
	.counters = admin_proxy_counters,
	.counter_count = PROXY_FIGURES,
	.reach = REACH_NETWORK | REACH_TLS,
	.listen = admin_proxy_listen, /* takes its ports while it still may */
	.open = admin_proxy_open,     /* makes the event loop and begins to connect */
	.run = admin_proxy_run,       /* everything happens here, in one thread */
	.stop = admin_proxy_stop,
	.reload = admin_proxy_reload,
	.close = admin_proxy_close,
};

int main(int argc, char **argv)
{
	return service_main(&admin_proxy, argc, argv);
}
