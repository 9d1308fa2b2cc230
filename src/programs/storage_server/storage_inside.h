/* storage_inside.h - what the commands of storage_server share. */
#pragma once

#include "fdfs/fdfs_server.h"
#include "programs/storage_server/storage_report.h"
#include "programs/storage_server/storage_requests.h"
#include "service/service.h"
#include "store/engine.h"

struct storage {
	struct storage_limits limits;
	const struct settings *settings;
	const struct storage_settings *own;
	struct fdfs_address address; /* that clients are told */
	uint8_t source[4];           /* as in the ids that are made */
	char source_text[FDFS_ID_WIDTH + 1];
	enum fdfs_ip_width ip_width;
	_Atomic(enum storage_mode) mode;

	struct allow allow;
	struct fdfs_troubles troubles;
	int fd;
	struct net_loop *loop;
	struct net_server *server;
	struct net_timer *timer;
	struct engine *engine;
	struct storage_report *report;
	_Atomic int64_t full_ms; /* when the engine was full; clock_mono_ms() */
	int64_t started;         /* Unix seconds */
};

/* A command: answers `request` now or later. */
typedef void storage_command(struct storage *storage, struct net_request *request);

storage_command storage_upload, storage_download, storage_info, storage_delete;

/* Answer with the failure `err`, log and count it.  Any thread. */
void storage_fail(struct net_request *request, const struct err *err);
void storage_fail_and_close(struct net_request *request, const struct err *err);
