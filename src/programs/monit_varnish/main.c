/* monit_varnish - how the cache of this machine is doing, from its shared memory. */
#include "programs/monit_varnish/monit_varnish.h"

int main(int argc, char **argv)
{
	return monit_varnish_main(argc, argv);
}
