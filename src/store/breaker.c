#include "store/breaker.h"

bool breaker_is_open(const struct breaker *breaker)
{
	return breaker->open_ms > 0;
}

bool breaker_would_pass(const struct breaker *breaker, int64_t now_ms)
{
	return !breaker_is_open(breaker) || (!breaker->probing && now_ms >= breaker->until_ms);
}

bool breaker_pass(struct breaker *breaker, int64_t now_ms)
{
	if (!breaker_would_pass(breaker, now_ms))
		return false;
	breaker->probing = breaker_is_open(breaker);
	return true;
}

void breaker_success(struct breaker *breaker)
{
	*breaker = (struct breaker){ 0 };
}

void breaker_failure(struct breaker *breaker, int64_t now_ms)
{
	bool was_open = breaker_is_open(breaker), was_probe = breaker->probing;

	if (breaker->failures < BREAKER_FAILURES)
		breaker->failures++;
	/* Calls that began before it opened say nothing new. */
	if (breaker->failures < BREAKER_FAILURES || (was_open && !was_probe))
		return;
	breaker->open_ms = was_open ? 2 * breaker->open_ms : BREAKER_FIRST_MS;
	if (breaker->open_ms > BREAKER_MOST_MS)
		breaker->open_ms = BREAKER_MOST_MS;
	breaker->until_ms = now_ms + breaker->open_ms;
	breaker->probing = false;
}

void breaker_neither(struct breaker *breaker)
{
	breaker->probing = false;
}
