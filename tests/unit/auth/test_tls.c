#include "auth/tls.h"

#include "unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A key and a certificate that it has signed itself, in files. */
struct identity {
	char key[300], certificate[300];
};

static void make_identity(const char *folder, const char *name, struct identity *identity)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	FILE *file;

	snprintf(identity->key, sizeof identity->key, "%s/%s.key", folder, name);
	snprintf(identity->certificate, sizeof identity->certificate, "%s/%s.pem", folder, name);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	file = fopen(identity->key, "w");
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	chmod(identity->key, 0600);
	file = fopen(identity->certificate, "w");
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static struct tls *server_of(const struct identity *identity, const char *client_ca)
{
	struct tls_conf conf = { identity->certificate, identity->key, client_ca };
	struct err err = { 0 };
	struct tls *tls = tls_new(&conf, &err);

	if (tls == NULL)
		fail_msg("%s", err.text);
	return tls;
}

/* The other end, and what lies between the two. */
struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static void client_open(struct client *client, const struct identity *identity, int version)
{
	client->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(client->ctx, version < TLS1_2_VERSION ? 0 : 1);
	SSL_CTX_set_min_proto_version(client->ctx, version);
	SSL_CTX_set_max_proto_version(client->ctx, version);
	if (identity != NULL) {
		SSL_CTX_use_certificate_file(client->ctx, identity->certificate, SSL_FILETYPE_PEM);
		SSL_CTX_use_PrivateKey_file(client->ctx, identity->key, SSL_FILETYPE_PEM);
	}
	client->ssl = SSL_new(client->ctx);
	client->in = BIO_new(BIO_s_mem());
	client->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(client->in, -1);
	SSL_set_bio(client->ssl, client->in, client->out);
	SSL_set_connect_state(client->ssl);
}

static void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->ctx);
}

/* Carry what the client has said to the server, `step` bytes at a time, and back.  What
 * is read goes to `text`; returns what tls_session_read did last. */
static ptrdiff_t carry(struct tls_session *session, struct client *client, size_t step, char *text,
	size_t size, bool *clean)
{
	uint8_t bytes[16384];
	struct buf back;
	ptrdiff_t got = 0;
	size_t len = strlen(text);
	int sent;

	while ((sent = BIO_read(client->out, bytes, (int)step)) > 0) {
		assert_true(tls_session_feed(session, span_of(bytes, (size_t)sent)));
		while ((got = tls_session_read(session, text + len, size - 1 - len, clean)) > 0)
			len += (size_t)got;
		text[len] = '\0';
	}
	buf_init(&back, 1 << 20);
	tls_session_take(session, &back);
	if (back.len > 0)
		BIO_write(client->in, back.data, (int)back.len);
	buf_fini(&back);
	return got;
}

/* Shake hands; false if the server has refused. */
static bool shake(struct tls_session *session, struct client *client, size_t step)
{
	char text[100] = "";
	bool clean;

	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(client->ssl);
		if (carry(session, client, step, text, sizeof text, &clean) < 0)
			return false;
	}
	assert_string_equal(text, "");
	return SSL_is_init_finished(client->ssl);
}

TEST(bytes_go_both_ways_however_they_are_cut)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const size_t steps[] = { 1, 7, 16384 };
	struct identity own;
	struct tls *tls;

	make_identity(unit_scratch(), "server", &own);
	tls = server_of(&own, "");
	for (size_t i = 0; i < 6; i++) {
		struct tls_session *session = tls_session_new(tls);
		struct client client;
		char text[100] = "", reply[100] = "";
		bool clean = false;

		client_open(&client, NULL, versions[i % 2]);
		assert_true(shake(session, &client, steps[i / 2]));
		assert_int_equal(SSL_write(client.ssl, "hello", 5), 5);
		assert_int_equal(
			carry(session, &client, steps[i / 2], text, sizeof text, &clean), 0);
		assert_string_equal(text, "hello");
		assert_true(tls_session_write(session, span_str("and back")));
		carry(session, &client, 1, text, sizeof text, &clean);
		assert_int_equal(SSL_read(client.ssl, reply, sizeof reply - 1), 8);
		assert_string_equal(reply, "and back");

		SSL_shutdown(client.ssl);
		assert_int_equal(carry(session, &client, 1, text, sizeof text, &clean), -1);
		assert_true(clean);
		tls_session_end(session);
		carry(session, &client, 1, text, sizeof text, &clean);
		assert_int_equal(SSL_read(client.ssl, reply, sizeof reply), 0);
		assert_int_equal(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN,
			SSL_RECEIVED_SHUTDOWN);
		tls_session_free(session);
		client_close(&client);
	}
	tls_free(tls);
}

TEST(long_texts_arrive_whole)
{
	static char sent[300000], got[300001];
	struct identity own;
	struct client client;
	struct tls_session *session;
	struct tls *tls;
	bool clean;
	int len = 0, more;

	make_identity(unit_scratch(), "server", &own);
	tls = server_of(&own, "");
	session = tls_session_new(tls);
	tls_free(tls); /* the connection goes on */
	client_open(&client, NULL, TLS1_3_VERSION);
	assert_true(shake(session, &client, 1000));
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (char)('a' + i % 23);
	assert_int_equal(SSL_write(client.ssl, sent, sizeof sent), sizeof sent);
	assert_int_equal(carry(session, &client, 16384, got, sizeof got, &clean), 0);
	assert_memory_equal(got, sent, sizeof sent);
	assert_true(tls_session_write(session, span_of(sent, sizeof sent)));
	carry(session, &client, 1, got, sizeof got, &clean);
	memset(got, 0, sizeof got);
	while ((more = SSL_read(client.ssl, got + len, (int)sizeof got - len)) > 0)
		len += more;
	assert_int_equal(len, sizeof sent);
	assert_memory_equal(got, sent, sizeof sent);
	tls_session_free(session);
	client_close(&client);
}

TEST(noise_is_the_end_and_not_a_clean_one)
{
	static const char *const noises[] = { "GET / HTTP/1.0\r\n\r\n",
		"\x16\x03\x01\xff\xff\xff\xff", "\x12\x00\x00\x00\xbd\x0b",
		"\x15\x03\x03\x00\x02\x02\x28" };
	struct identity own;
	struct tls *tls;

	make_identity(unit_scratch(), "server", &own);
	tls = server_of(&own, "");
	for (size_t i = 0; i < 4; i++) {
		struct tls_session *session = tls_session_new(tls);
		uint8_t noise[64] = { 0 };
		bool clean = true;
		char out[10];

		memcpy(noise, noises[i], strlen(noises[i]));
		assert_int_equal(tls_session_read(session, out, sizeof out, &clean), 0);
		assert_true(tls_session_feed(session, span_of(noise, sizeof noise)));
		assert_int_equal(tls_session_read(session, out, sizeof out, &clean), -1);
		assert_false(clean);
		assert_false(tls_session_write(session, span_str("secret")));
		tls_session_end(session); /* nothing to end */
		tls_session_free(session);
	}
	tls_free(tls);
	tls_session_free(NULL);
	tls_free(NULL);
}

TEST(a_changed_byte_is_the_end)
{
	struct identity own;
	struct client client;
	struct tls_session *session;
	struct tls *tls;
	uint8_t bytes[1000];
	bool clean = true;
	char text[100];
	int len;

	make_identity(unit_scratch(), "server", &own);
	tls = server_of(&own, "");
	session = tls_session_new(tls);
	client_open(&client, NULL, TLS1_3_VERSION);
	assert_true(shake(session, &client, 1000));
	SSL_write(client.ssl, "hello", 5);
	len = BIO_read(client.out, bytes, sizeof bytes);
	bytes[len - 1] ^= 1;
	assert_true(tls_session_feed(session, span_of(bytes, (size_t)len)));
	assert_int_equal(tls_session_read(session, text, sizeof text, &clean), -1);
	assert_false(clean);
	tls_session_free(session);
	client_close(&client);
	tls_free(tls);
}

TEST(old_versions_are_refused)
{
	struct identity own;
	struct tls *tls;

	make_identity(unit_scratch(), "server", &own);
	tls = server_of(&own, "");
	for (int version = TLS1_VERSION; version < TLS1_2_VERSION; version++) {
		struct tls_session *session = tls_session_new(tls);
		struct client client;

		client_open(&client, NULL, version);
		assert_false(shake(session, &client, 1000));
		tls_session_free(session);
		client_close(&client);
	}
	tls_free(tls);
}

TEST(clients_need_a_certificate_that_is_trusted_where_one_is_wanted)
{
	struct identity own, friend, stranger;
	const struct identity *who[] = { &friend, &stranger, NULL };
	struct tls *tls;

	make_identity(unit_scratch(), "server", &own);
	make_identity(unit_scratch(), "friend", &friend);
	make_identity(unit_scratch(), "stranger", &stranger);
	tls = server_of(&own, friend.certificate);
	for (size_t i = 0; i < 6; i++) {
		struct tls_session *session = tls_session_new(tls);
		struct client client;

		client_open(&client, who[i / 2], i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_int_equal(shake(session, &client, 1000), i / 2 == 0);
		tls_session_free(session);
		client_close(&client);
	}
	tls_free(tls);
}

static enum err_code refusal(const char *certificate, const char *key, const char *client_ca)
{
	struct tls_conf conf = { certificate, key, client_ca };
	struct err err = { 0 };

	assert_null(tls_new(&conf, &err));
	assert_true(err.text[0] != '\0');
	return err.code;
}

TEST(files_that_do_not_fit_are_refused)
{
	struct identity own, other;
	const char *folder = unit_scratch();
	char missing[300];

	make_identity(folder, "server", &own);
	make_identity(folder, "other", &other);
	snprintf(missing, sizeof missing, "%s/missing", folder);
	assert_int_equal(refusal(own.certificate, missing, ""), ERR_IO);
	assert_int_equal(refusal(missing, own.key, ""), ERR_CONFIG);
	assert_int_equal(refusal(own.certificate, other.key, ""), ERR_CONFIG);
	assert_int_equal(refusal(own.key, own.key, ""), ERR_CONFIG);
	assert_int_equal(refusal(own.certificate, own.key, missing), ERR_CONFIG);
	assert_int_equal(refusal(own.certificate, own.key, own.key), ERR_CONFIG);
	chmod(own.key, 0640);
	assert_int_equal(refusal(own.certificate, own.key, ""), ERR_NOT_ALLOWED);
}
