#include "service/ready.h"

#include "core/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void report_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || fd < 1 || fd > 1 << 20) {
		log_warn("PICSTORE_READY_FD is no descriptor");
		return;
	}
	if (write((int)fd, "\n", 1) != 1)
		log_warn("cannot report ready on descriptor %ld: %s", fd, strerror(errno));
	if (fd > STDERR_FILENO)
		close((int)fd);
}

/* systemd's protocol: one datagram.  A name that starts with @ is abstract. */
static void report_socket(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd;

	if (len < 2 || len >= sizeof to.sun_path || (name[0] != '/' && name[0] != '@')) {
		log_warn("NOTIFY_SOCKET is no address");
		return;
	}
	memcpy(to.sun_path, name, len);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&to,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warn("cannot report ready on NOTIFY_SOCKET: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void ready_report(void)
{
	const char *fd = getenv("PICSTORE_READY_FD"), *name = getenv("NOTIFY_SOCKET");

	if (fd != NULL)
		report_fd(fd);
	if (name != NULL)
		report_socket(name);
	unsetenv("PICSTORE_READY_FD");
	unsetenv("NOTIFY_SOCKET");
	log_info("ready");
}
