#include "auth/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tls {
	SSL_CTX *ctx;
};

struct tls_session {
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
};

static int failed(const char *what, const char *path, struct err *err)
{
	char reason[160];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
	ERR_clear_error();
	return err_set(err, ERR_CONFIG, "%s %.120s: %.100s", what, path, reason);
}

static int check_key_mode(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_errno(err, "cannot look at the key %.160s", path);
	if ((st.st_mode & 077) != 0)
		return err_set(err, ERR_NOT_ALLOWED,
			"the key %.160s may be used by others (mode %03o): chmod 600 it", path,
			(unsigned)(st.st_mode & 07777));
	return 0;
}

static int load(SSL_CTX *ctx, const struct tls_conf *conf, struct err *err)
{
	STACK_OF(X509_NAME) * names;

	if (check_key_mode(conf->key, err) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ctx, conf->certificate) != 1)
		return failed("cannot use the certificate", conf->certificate, err);
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		return failed("cannot use the key", conf->key, err);
	if (conf->client_ca[0] == '\0')
		return 0;
	names = SSL_load_client_CA_file(conf->client_ca);
	if (names == NULL || SSL_CTX_load_verify_locations(ctx, conf->client_ca, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return failed("cannot use the certificates", conf->client_ca, err);
	}
	SSL_CTX_set_client_CA_list(ctx, names); /* taken over */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

struct tls *tls_new(const struct tls_conf *conf, struct err *err)
{
	struct tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		abort();
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (tls->ctx == NULL) {
		err_set(err, ERR_INTERNAL, "OpenSSL cannot be used");
		goto fail;
	}
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					      SSL_OP_NO_COMPRESSION |
					      SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(tls->ctx, 0);
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS);
	if (load(tls->ctx, conf, err) != 0)
		goto fail;
	return tls;
fail:
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx); /* sessions hold it */
	free(tls);
}

struct tls_session *tls_session_new(struct tls *tls)
{
	struct tls_session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->ssl = SSL_new(tls->ctx);
	session->in = BIO_new(BIO_s_mem());
	session->out = BIO_new(BIO_s_mem());
	if (session->ssl == NULL || session->in == NULL || session->out == NULL) {
		BIO_free(session->in);
		BIO_free(session->out);
		SSL_free(session->ssl);
		free(session);
		return NULL;
	}
	/* No bytes are "try again", not the end. */
	BIO_set_mem_eof_return(session->in, -1);
	SSL_set_bio(session->ssl, session->in, session->out);
	SSL_set_accept_state(session->ssl);
	return session;
}

void tls_session_free(struct tls_session *session)
{
	if (session == NULL)
		return;
	SSL_free(session->ssl);
	free(session);
}

bool tls_session_feed(struct tls_session *session, struct span bytes)
{
	return bytes.len <= INT_MAX &&
	       BIO_write(session->in, bytes.data, (int)bytes.len) == (int)bytes.len;
}

ptrdiff_t tls_session_read(struct tls_session *session, void *out, size_t max, bool *clean)
{
	int got, reason;

	ERR_clear_error();
	got = SSL_read(session->ssl, out, max > INT_MAX ? INT_MAX : (int)max);
	if (got > 0)
		return got;
	reason = SSL_get_error(session->ssl, got);
	ERR_clear_error();
	if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
		return 0;
	*clean = reason == SSL_ERROR_ZERO_RETURN;
	return -1;
}

bool tls_session_write(struct tls_session *session, struct span plain)
{
	while (plain.len > 0) {
		int len = plain.len > INT_MAX ? INT_MAX : (int)plain.len;

		ERR_clear_error();
		len = SSL_write(session->ssl, plain.data, len);
		if (len <= 0) {
			ERR_clear_error();
			return false;
		}
		plain = span_of(plain.data + len, plain.len - (size_t)len);
	}
	return true;
}

void tls_session_take(struct tls_session *session, struct buf *out)
{
	size_t len = BIO_ctrl_pending(session->out);
	uint8_t *to = len == 0 ? NULL : buf_reserve(out, len);

	if (to != NULL && len <= INT_MAX && BIO_read(session->out, to, (int)len) == (int)len)
		out->len += len;
}

void tls_session_end(struct tls_session *session)
{
	ERR_clear_error();
	if (SSL_is_init_finished(session->ssl))
		SSL_shutdown(session->ssl);
	ERR_clear_error();
}
