#include "core/log_limit.h"

bool log_limit_pass(struct log_limit *limit, int64_t now_ms, unsigned *hidden)
{
	if (now_ms / 1000 != limit->second) {
		limit->second = now_ms / 1000;
		limit->shown = 0;
	}
	if (limit->shown == LOG_LIMIT_A_SECOND) {
		limit->hidden++;
		return false;
	}
	limit->shown++;
	*hidden = limit->hidden;
	limit->hidden = 0;
	return true;
}
