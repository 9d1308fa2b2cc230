#include "programs/admin_proxy/proxy_shield.h"

#include "auth/tls.h"

static void *shield_open(void *context)
{
	return tls_session_new(context);
}

static void shield_close(void *session)
{
	tls_session_free(session);
}

static bool shield_feed(void *session, struct span bytes)
{
	return tls_session_feed(session, bytes);
}

static ptrdiff_t shield_read(void *session, void *out, size_t max, bool *clean)
{
	return tls_session_read(session, out, max, clean);
}

static bool shield_write(void *session, struct span plain)
{
	return tls_session_write(session, plain);
}

static void shield_take(void *session, struct buf *out)
{
	tls_session_take(session, out);
}

static void shield_end(void *session)
{
	tls_session_end(session);
}

const struct frame_shield proxy_shield = {
	.open = shield_open,
	.close = shield_close,
	.feed = shield_feed,
	.read = shield_read,
	.write = shield_write,
	.take = shield_take,
	.end = shield_end,
};
