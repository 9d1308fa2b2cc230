/* reach.h - what each daemon can still reach once it runs.
 *
 * All can read the system (/usr, /etc, /proc, /sys, /dev), the folder of the configuration
 * and their libraries, write to /dev/null, and have their sockets in run_dir.  Beyond that
 * a daemon reaches what its `struct service` says; docs/security.md shows it in a table.
 * confine.h tells how it is kept. */
#pragma once

#include "service/service.h"

enum reach {
	REACH_NETWORK = 1 << 0, /* makes TCP connections */
	REACH_STORE =
		1 << 1, /* writes the store paths of its own [storage]; of a shared one its journal,
			   and reads secret_dir or the cluster's configuration and key */
	REACH_STORES = 1 << 2,         /* reads the store paths of this machine */
	REACH_SECRETS = 1 << 3,        /* reads secret_dir */
	REACH_CUTS = 1 << 4,           /* writes the folder of cut_svr.made */
	REACH_DELETE_LOG = 1 << 5,     /* writes the folder of del_svr.log */
	REACH_RECEIPTS = 1 << 6,       /* writes the folder of cs_del_svr.receipts */
	REACH_TRACKER_MEMORY = 1 << 7, /* writes the folder of tracker.memory */
	REACH_SESSIONS = 1 << 8,       /* writes sess_check_svr.folder */
	REACH_METADATA = 1 << 9,       /* writes metadata_dbsvr.folder */
	REACH_TLS = 1 << 10,           /* reads the folders of admin_proxy's certificates */
};

/* Confine this process, which has one thread, to what `reach` (of enum reach) says, and
 * make folders of those that are not there yet.  With [picstore] confine = no, or in a build
 * with sanitizers or coverage, which write files of their own: no files are forbidden.
 * Returns 0, or -1 with err. */
int reach_confine(const struct settings *settings, const char *instance, const char *listen,
	unsigned reach, struct err *err);
