#include "net/net_sweep.h"

enum { SWEEP_MS = 250 }; /* at most so much later than it is due is a deadline noticed */

static void on_timer(uv_timer_t *timer)
{
	struct net_sweep *sweep = (struct net_sweep *)timer; /* its first field */

	sweep->look(timer->data, (int64_t)uv_now(timer->loop));
}

void net_sweep_start(struct net_sweep *sweep, struct net_loop *loop, int64_t timeout_ms,
	void (*look)(void *server, int64_t now), void *server)
{
	uint64_t interval_ms = (uint64_t)timeout_ms / 8 + 1;

	if (interval_ms > SWEEP_MS)
		interval_ms = SWEEP_MS;
	sweep->look = look;
	uv_timer_init(&loop->uv, &sweep->timer);
	sweep->timer.data = server;
	uv_timer_start(&sweep->timer, on_timer, interval_ms, interval_ms);
	uv_unref((uv_handle_t *)&sweep->timer);
}

void net_sweep_hold(struct net_sweep *sweep)
{
	uv_ref((uv_handle_t *)&sweep->timer);
}

void net_sweep_end(struct net_sweep *sweep)
{
	net_close((uv_handle_t *)&sweep->timer);
}

void net_close(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}
