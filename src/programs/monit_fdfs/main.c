/* monit_fdfs - is the storage group on that host running?  Ours, or a FastDFS one.
 *
 * The trackers are asked what they know of the host's storages, and each storage is asked
 * whether it answers. */
#include "programs/monit_fdfs/monit_fdfs.h"

int main(int argc, char **argv)
{
	return monit_fdfs_main(argc, argv);
}
