#include "store/retry.h"

#include "core/clock.h"

#include <errno.h>
#include <time.h>

enum {
	TRIES = 3,
	PAUSE_MS = 50, /* between tries, twice as long each time */
};

struct retry retry_until(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();

	return (struct retry){ .deadline_ms = deadline_ms, .try_ms = left_ms / 2 };
}

int64_t retry_try_end(const struct retry *retry)
{
	int64_t end_ms = clock_mono_ms() + retry->try_ms;

	return end_ms < retry->deadline_ms ? end_ms : retry->deadline_ms;
}

static void pause_for(int64_t ms)
{
	struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
		;
}

bool retry_again(struct retry *retry, bool well, struct err *err)
{
	bool temporary = err->code == ERR_UNKNOWN || err->code == ERR_UNREACHABLE ||
			 err->code == ERR_TIMEOUT || err->code == ERR_BUSY;
	int64_t pause_ms = (int64_t)PAUSE_MS << retry->count;

	retry->perhaps_done = retry->perhaps_done || err->code == ERR_UNKNOWN;
	if (temporary && ++retry->count < TRIES && well &&
		clock_mono_ms() + pause_ms < retry->deadline_ms) {
		pause_for(pause_ms);
		return true;
	}
	if (retry->perhaps_done)
		err->code = ERR_UNKNOWN;
	return false;
}
