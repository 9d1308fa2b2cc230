/* storage_failure.c - the answer, the log line and the counters of a request that fails. */
#include "core/log.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

/* What counts a command, with and without success. */
static const struct {
	uint8_t cmd;
	enum storage_counter good, bad;
} kinds[] = {
	{ FDFS_UPLOAD, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
	{ FDFS_ADOPT, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
	{ FDFS_RESTORE, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
	{ FDFS_UPLOAD_SLAVE, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
	{ FDFS_UPLOAD_APPENDER, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
	{ FDFS_DOWNLOAD, STORAGE_DOWNLOADS, STORAGE_DOWNLOADS_FAILED },
	{ FDFS_DELETE, STORAGE_DELETES, STORAGE_DELETES_FAILED },
	{ FDFS_FILE_INFO, STORAGE_INFOS, STORAGE_INFOS_FAILED },
	{ FDFS_APPEND, STORAGE_APPENDS, STORAGE_APPENDS_FAILED },
	{ FDFS_MODIFY, STORAGE_MODIFIES, STORAGE_MODIFIES_FAILED },
	{ FDFS_TRUNCATE, STORAGE_TRUNCATES, STORAGE_TRUNCATES_FAILED },
	{ FDFS_SET_METADATA, STORAGE_METADATA_SETS, STORAGE_METADATA_SETS_FAILED },
	{ FDFS_GET_METADATA, STORAGE_METADATA_GETS, STORAGE_METADATA_GETS_FAILED },
};

static void count(uint8_t cmd, bool good)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].cmd == cmd)
			storage_counters[good ? kinds[i].good : kinds[i].bad].value++;
}

void storage_count(uint8_t cmd)
{
	count(cmd, true);
}

static void count_failure(uint8_t cmd, enum err_code code)
{
	count(cmd, false);
	switch (code) {
	case ERR_BAD_REQUEST:
	case ERR_BAD_ID:
	case ERR_TOO_LARGE:
		storage_counters[STORAGE_BAD_REQUESTS].value++;
		break;
	case ERR_NOT_FOUND:
	case ERR_GONE:
		storage_counters[STORAGE_NOT_FOUND].value++;
		break;
	case ERR_FULL:
		storage_counters[STORAGE_FULL].value++;
		break;
	case ERR_CORRUPT:
		storage_counters[STORAGE_CORRUPT].value++;
		break;
	default:
		storage_counters[STORAGE_OTHER_ERRORS].value++;
	}
}

static enum log_level level_of(enum err_code code)
{
	switch (code) {
	case ERR_CORRUPT:
		return LOG_ALARM;
	case ERR_NOT_FOUND:
	case ERR_GONE:
		return LOG_INFO;
	case ERR_BAD_REQUEST:
	case ERR_BAD_ID:
	case ERR_TOO_LARGE:
	case ERR_EXISTS:
	case ERR_FULL:
	case ERR_BUSY:
		return LOG_WARN;
	default:
		return LOG_ERROR;
	}
}

static void fail(struct net_request *request, const struct err *err, bool close)
{
	struct fdfs_header header = fdfs_header_read(request->header);
	bool quiet = header.cmd == FDFS_FILE_INFO && (header.status & FDFS_FLAG_QUIET) != 0 &&
		     level_of(err->code) == LOG_INFO;
	uint8_t status = storage_status(err->code, header.status);

	count_failure(header.cmd, err->code);
	if (!quiet)
		log_line(level_of(err->code), "%s: command %u: %s: %s", request->peer, header.cmd,
			err_word(err->code), err->text);
	if (close)
		fdfs_reply_close(request, status);
	else
		fdfs_reply(request, status, NULL);
}

void storage_fail(struct net_request *request, const struct err *err)
{
	/* FastDFS closes after each EINVAL, and clients count on it. */
	fail(request, err, err_fdfs_status(err->code) == err_fdfs_status(ERR_BAD_REQUEST));
}

void storage_fail_and_close(struct net_request *request, const struct err *err)
{
	fail(request, err, true);
}
