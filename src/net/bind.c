#include "net/bind.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Is anybody there?  A full queue of connections is somebody too. */
static bool answers(const struct sockaddr_storage *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool living;

	if (fd < 0)
		return true;
	living = connect(fd, (const struct sockaddr *)address, len) == 0 || errno != ECONNREFUSED;
	close(fd);
	return living;
}

/* Make room for a unix socket at `path`. */
static int clear_path(
	const char *path, const struct sockaddr_storage *address, socklen_t len, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_EXISTS,
			"%s is there and is no socket: take it away or listen elsewhere", path);
	if (answers(address, len))
		return err_set(err, ERR_EXISTS,
			"another process listens on %s: stop it or listen elsewhere", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_errno(err, "cannot replace the old socket %s", path);
	return 0;
}

static int refuse_bind(const char *address, struct err *err)
{
	switch (errno) {
	case EADDRINUSE:
		return err_set(err, ERR_EXISTS,
			"%s is in use by another program: stop it (ss -ltnp shows which) or "
			"listen elsewhere",
			address);
	case EADDRNOTAVAIL:
		return err_set(err, ERR_CONFIG,
			"%s is not an address of this machine: ip address lists those that are",
			address);
	case EACCES:
		return err_set(err, ERR_NOT_ALLOWED,
			"not allowed to listen on %s: it takes another user, folder or port",
			address);
	case ENOENT:
		return err_set(
			err, ERR_CONFIG, "the folder of %s does not exist: make it first", address);
	default:
		return err_errno(err, "cannot listen on %s", address);
	}
}

int bind_listen(const char *text, int socket_mode, int backlog, struct err *err)
{
	struct sockaddr_storage address;
	const char *path = NULL;
	int fd, on = 1;
	socklen_t len;

	if (sockaddr_resolve(text, &address, &len, err) != 0)
		return -1;
	if (address.ss_family == AF_UNIX) {
		path = ((struct sockaddr_un *)&address)->sun_path;
		if (clear_path(path, &address, len, err) != 0)
			return -1;
	}
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, "cannot make a socket for %s", text);
	if (path == NULL)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	/* Until listen() nobody can connect, so the mode is right from the first moment. */
	if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
		(path != NULL && chmod(path, (mode_t)socket_mode) != 0) ||
		listen(fd, backlog) != 0) {
		refuse_bind(text, err);
		close(fd);
		return -1;
	}
	return fd;
}

void bind_text(int fd, char out[SOCKADDR_TEXT_MAX])
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;

	getsockname(fd, (struct sockaddr *)&address, &len);
	sockaddr_text((struct sockaddr *)&address, len, out);
}

void bind_close(int fd)
{
	char text[SOCKADDR_TEXT_MAX];

	if (fd < 0)
		return;
	bind_text(fd, text);
	if (strncmp(text, "unix:/", 6) == 0)
		unlink(text + 5);
	close(fd);
}
