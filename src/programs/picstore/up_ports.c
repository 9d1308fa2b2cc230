#include "programs/picstore/up_ports.h"

#include "core/address.h"
#include "net/sockaddr.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_LISTEN_STATE = 0x0a };

/* The inode of a socket that listens on `port`, or 0. */
static unsigned long listening_inode(const char *table, unsigned port)
{
	FILE *file = fopen(table, "re");
	unsigned long inode = 0;
	char line[512];

	if (file == NULL)
		return 0;
	while (inode == 0 && fgets(line, sizeof line, file) != NULL) {
		unsigned here, state;
		unsigned long number;

		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu",
			    &here, &state, &number) == 3 &&
			here == port && state == TCP_LISTEN_STATE)
			inode = number;
	}
	fclose(file);
	return inode;
}

static bool process_has(const char *pid, const char *socket)
{
	char path[300], link[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	dir = opendir(path);
	while (!found && dir != NULL && (entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);

		link[len < 0 ? 0 : len] = '\0';
		found = strcmp(link, socket) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* "lighttpd (process 123)" for who listens on `port`. */
static void who_listens(unsigned port, char *out, size_t size)
{
	unsigned long inode = listening_inode("/proc/net/tcp", port);
	char socket[64], path[300], name[32] = "";
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (inode == 0)
		inode = listening_inode("/proc/net/tcp6", port);
	snprintf(socket, sizeof socket, "socket:[%lu]", inode);
	snprintf(out, size, "another program");
	while (inode != 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
		FILE *file;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!process_has(entry->d_name, socket))
			continue;
		snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file != NULL) {
			if (fgets(name, sizeof name, file) != NULL)
				name[strcspn(name, "\n")] = '\0';
			fclose(file);
		}
		snprintf(out, size, "%s (process %.10s)", name, entry->d_name);
		break;
	}
	if (dir != NULL)
		closedir(dir);
}

int up_port_free(const char *part, const char *address, struct err *err)
{
	struct sockaddr_storage where;
	struct address parts;
	int fd, on = 1, status;
	char who[80];
	socklen_t len;

	if (sockaddr_resolve(address, &where, &len, err) < 0)
		return err_prefix(err, "%s", part);
	fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, "cannot make a socket");
	/* As the parts do; connections that have ended do not hold the port then. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	status = bind(fd, (struct sockaddr *)&where, len);
	if (status == 0)
		status = listen(fd, 1);
	if (status == 0) {
		close(fd);
		return 0;
	}
	status = errno;
	close(fd);
	errno = status;
	if (errno != EADDRINUSE || !address_parse(address, &parts))
		return err_errno(err, "%s cannot listen on %s", part, address);
	who_listens(parts.port, who, sizeof who);
	return err_set(err, ERR_EXISTS,
		"port %" PRIu16
		", which %s needs, is taken by %s; stop that, or choose other ports "
		"with --port-base 20000",
		parts.port, part, who);
}
