/* net_kit.h - what the tests of servers share: a loop in a thread of its own, an address of
 * 127.0.0.1, and clients that write and read as the test says. */
#pragma once

#include "core/buf.h"
#include "net/allow.h"
#include "net/net_loop.h"
#include "net/net_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>

struct net_kit {
	struct net_loop *loop;
	struct allow allow;
	sem_t holds; /* requests that the server holds for the test; the server posts it */
	_Atomic int troubles[NET_TROUBLES];
	struct sockaddr_in address;
	pthread_t thread;
};

/* Make the loop, and the rule who is allowed; returns a socket that listens. */
int net_kit_listen(struct net_kit *kit, const char *allowed);

/* Run the loop, on which there is a server now. */
void net_kit_run(struct net_kit *kit);

/* Wait until the loop ends, which net_loop_stop brings about; free all. */
void net_kit_join(struct net_kit *kit);
void net_kit_fini(struct net_kit *kit);

/* A client's connection. */
int net_kit_dial(const struct net_kit *kit);
void net_kit_send(int fd, struct span bytes);

/* Wait until the server closes it, whether by FIN or reset; then it is closed here. */
void net_kit_expect_closed(int fd);
