#include "programs/admin_proxy/proxy_health.h"

void proxy_health_init(struct proxy_health *health, int64_t now)
{
	*health = (struct proxy_health){
		.state = PROXY_NEW,
		.since = now,
		.check_at = now,
		.retry_ms = PROXY_RETRY_MIN_MS,
	};
}

bool proxy_health_good(struct proxy_health *health, int64_t now, int64_t interval_ms)
{
	bool was_up = health->state == PROXY_UP;

	health->check_at = now + interval_ms;
	if (was_up)
		return false;
	if (!health->was_up)
		health->retry_ms = PROXY_RETRY_MIN_MS;
	health->was_up = true;
	health->state = PROXY_UP;
	health->since = now;
	health->stalls = 0;
	return true;
}

bool proxy_health_bad(struct proxy_health *health, int64_t now)
{
	bool was_down = health->state == PROXY_DOWN;

	if (health->state == PROXY_UP && now - health->since >= PROXY_STEADY_MS)
		health->retry_ms = PROXY_RETRY_MIN_MS;
	if (!was_down)
		health->since = now;
	health->state = PROXY_DOWN;
	health->check_at = now + health->retry_ms;
	health->retry_ms *= 2;
	if (health->retry_ms > PROXY_RETRY_MAX_MS)
		health->retry_ms = PROXY_RETRY_MAX_MS;
	return !was_down;
}

void proxy_health_answered(struct proxy_health *health)
{
	health->stalls = 0;
}

bool proxy_health_stalled(struct proxy_health *health)
{
	return ++health->stalls >= PROXY_STALLS;
}

static bool better(const struct proxy_load *a, const struct proxy_load *b)
{
	return a->avoid != b->avoid ? b->avoid : a->under_way < b->under_way;
}

size_t proxy_choose(const struct proxy_load *loads, size_t count, size_t *turn)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		size_t at = (*turn + i) % count;

		if (loads[at].usable && (best == count || better(&loads[at], &loads[best])))
			best = at;
	}
	if (best < count)
		*turn = best + 1;
	return best;
}
