#include "core/clock.h"
#include "fdfs/fdfs_lookup.h"
#include "unit.h"

#include <netinet/in.h>

static struct addrinfo *found;
static struct err err;

TEST(digits_need_no_time)
{
	const struct sockaddr_in *address;

	assert_int_equal(fdfs_lookup("127.0.0.1", 4711, 0, &found, &err), 0);
	address = (const struct sockaddr_in *)(const void *)found->ai_addr;
	assert_int_equal(ntohs(address->sin_port), 4711);
	freeaddrinfo(found);
	assert_int_equal(fdfs_lookup("::1", 4711, 0, &found, &err), 0);
	assert_int_equal(found->ai_family, AF_INET6);
	freeaddrinfo(found);
}

TEST(names_are_found)
{
	assert_int_equal(fdfs_lookup("localhost", 4711, clock_mono_ms() + 30000, &found, &err), 0);
	assert_non_null(found);
	freeaddrinfo(found);
}

TEST(the_deadline_holds)
{
	assert_int_equal(fdfs_lookup("localhost", 4711, clock_mono_ms() - 1, &found, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}
