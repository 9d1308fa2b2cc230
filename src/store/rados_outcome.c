#include "store/rados_outcome.h"

#include <errno.h>

enum err_code rados_outcome(int result, bool changes)
{
	if (result >= 0)
		return ERR_NONE;
	switch (-result) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case ENOSPC: /* the cluster */
	case EDQUOT: /* the pool's quota */
		return ERR_FULL;
	case EPERM:
	case EACCES:
	case EROFS:
		return ERR_NOT_ALLOWED;
	case E2BIG:
	case EFBIG:
	case EMSGSIZE: /* osd_max_write_size */
		return ERR_TOO_LARGE;
	case ESHUTDOWN: /* on the cluster's blocklist: it takes nothing from us */
	case ENOTCONN:
		return ERR_UNREACHABLE;
	case EINVAL:
	case ENAMETOOLONG:
		return ERR_INTERNAL;
	default:
		break;
	}
	if (changes)
		return ERR_UNKNOWN;
	if (result == -EIO) /* no copy could be read */
		return ERR_IO;
	return result == -ETIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE;
}
