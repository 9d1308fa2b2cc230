/* tls.h - TLS without sockets, for servers: bytes in, bytes out.
 *
 *     socket ──► feed ──► (OpenSSL) ──► read ──► plain bytes
 *     socket ◄── take ◄── (OpenSSL) ◄── write ◄── plain bytes
 *
 * TLS 1.2 and 1.3, no renegotiation, no resumption: connections here are kept. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <stddef.h>

/* What the connections of a server share. */
struct tls;

struct tls_conf {
	const char *certificate; /* PEM file: the server's, then those above it */
	const char *key;         /* PEM file, which only its owner may use */
	const char *client_ca;   /* PEM file: who signs certificates of clients; "": none needed */
};

struct tls *tls_new(const struct tls_conf *conf, struct err *err);
void tls_free(struct tls *tls); /* NULL is fine; its connections go on */

struct tls_session;

struct tls_session *tls_session_new(struct tls *tls); /* NULL if memory ends */
void tls_session_free(struct tls_session *session);   /* NULL is fine */

/* Bytes came from the peer.  All of them are taken; false: memory has ended. */
bool tls_session_feed(struct tls_session *session, struct span bytes);

/* Take up to `max` plain bytes.  Returns how many; 0: none until more is fed; -1: there
 * will never be any more, *clean says whether the peer ended it in order. */
ptrdiff_t tls_session_read(struct tls_session *session, void *out, size_t max, bool *clean);

/* Encrypt `plain`, once something was read.  False: it failed for good. */
bool tls_session_write(struct tls_session *session, struct span plain);

/* Append what is to be sent to the peer to `out`. */
void tls_session_take(struct tls_session *session, struct buf *out);

/* Tell the peer that nothing more comes; _take has the bytes for it. */
void tls_session_end(struct tls_session *session);
