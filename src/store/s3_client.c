#include "store/s3_client.h"

#include "auth/sigv4.h"
#include "store/s3_xml.h"
#include "store/turns.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL_MAX = 8192,
	HEADERS_MAX = 10,
	HEADER_LEN = 1024,
	SECRET_MAX = 250,
	/* A page of an error has to fit in whatever the answer may be long. */
	BODY_LEAST = 64 << 10,
};

struct s3 {
	char *base; /* scheme://host, of every URL */
	char *host; /* for the header */
	char *path; /* of the bucket: "" or "/bucket" */
	char *access, *secret, *region, *ca_file;
	int64_t connect_timeout_ms;
	int64_t (*now)(void);
	int64_t (*now_ms)(void);

	struct turns *turns;
	pthread_mutex_t mutex;
	struct web **idle; /* connections that nobody uses */
	unsigned idle_count;
};

static char *copy(const char *text)
{
	char *out = strdup(text);

	if (out == NULL)
		abort();
	return out;
}

static char *joined(const char *a, const char *b, const char *c, const char *d)
{
	char *out;

	if (asprintf(&out, "%s%s%s%s", a, b, c, d) < 0)
		abort();
	return out;
}

/* Bucket names: 3 to 63 of a-z 0-9 - . */
static bool bucket_ok(const char *bucket)
{
	size_t len = strlen(bucket);

	return len >= 3 && len <= 63 &&
	       strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

/* Take the endpoint apart.  The port goes out of the header if it is the scheme's own. */
static int read_endpoint(struct s3 *s3, const struct s3_conf *conf, struct err *err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-:[]";
	const char *rest, *scheme = "https://", *own_port = ":443";
	const char *bucket = conf->bucket_in_host ? conf->bucket : "";
	const char *dot = conf->bucket_in_host ? "." : "";
	size_t len, port_len;

	if (strncmp(conf->endpoint, "http://", 7) == 0) {
		scheme = "http://";
		own_port = ":80";
	} else if (strncmp(conf->endpoint, scheme, 8) != 0) {
		return err_set(err, ERR_CONFIG, "an S3 endpoint begins with https:// or http://");
	}
	rest = conf->endpoint + strlen(scheme);
	len = strlen(rest);
	if (len == 0 || strspn(rest, plain) != len)
		return err_set(err, ERR_CONFIG,
			"an S3 endpoint is https://host or https://host:port, no more");
	port_len = strlen(own_port);
	s3->base = joined(scheme, bucket, dot, rest);
	s3->host = joined(bucket, dot, rest, "");
	if (len > port_len && strcmp(rest + len - port_len, own_port) == 0)
		s3->host[strlen(s3->host) - port_len] = '\0';
	s3->path = conf->bucket_in_host ? copy("") : joined("/", conf->bucket, "", "");
	return 0;
}

struct s3 *s3_new(const struct s3_conf *conf, struct err *err)
{
	struct s3 *s3;

	if (!bucket_ok(conf->bucket)) {
		err_set(err, ERR_CONFIG, "'%s' is no name of a bucket", conf->bucket);
		return NULL;
	}
	if (conf->access_key[0] == '\0' || conf->secret_key[0] == '\0' ||
		strlen(conf->secret_key) > SECRET_MAX || strlen(conf->access_key) > SECRET_MAX ||
		conf->region[0] == '\0' || strlen(conf->region) > 63) {
		err_set(err, ERR_CONFIG, "S3 needs a region, an access key and a secret key");
		return NULL;
	}
	s3 = calloc(1, sizeof *s3);
	assert(s3 != NULL && conf->in_flight > 0);
	if (read_endpoint(s3, conf, err) != 0) {
		free(s3);
		return NULL;
	}
	s3->access = copy(conf->access_key);
	s3->secret = copy(conf->secret_key);
	s3->region = copy(conf->region);
	s3->ca_file = conf->ca_file == NULL ? NULL : copy(conf->ca_file);
	s3->connect_timeout_ms = conf->connect_timeout_ms;
	s3->now = conf->now;
	s3->now_ms = conf->now_ms;
	s3->turns = turns_new(conf->in_flight, conf->now_ms);
	s3->idle = calloc(conf->in_flight, sizeof(struct web *));
	assert(s3->idle != NULL);
	pthread_mutex_init(&s3->mutex, NULL);
	return s3;
}

void s3_free(struct s3 *s3)
{
	if (s3 == NULL)
		return;
	turns_free(s3->turns);
	for (unsigned i = 0; i < s3->idle_count; i++)
		web_free(s3->idle[i]);
	free(s3->idle);
	pthread_mutex_destroy(&s3->mutex);
	explicit_bzero(s3->secret, strlen(s3->secret));
	free(s3->base);
	free(s3->host);
	free(s3->path);
	free(s3->access);
	free(s3->secret);
	free(s3->region);
	free(s3->ca_file);
	free(s3);
}

/* ---- a turn, and a connection for it ---- */

static struct web *take_turn(struct s3 *s3, int64_t deadline_ms, struct err *err)
{
	struct web *web = NULL;

	if (turns_take(s3->turns, deadline_ms, err) != 0)
		return NULL;
	pthread_mutex_lock(&s3->mutex);
	if (s3->idle_count > 0)
		web = s3->idle[--s3->idle_count];
	pthread_mutex_unlock(&s3->mutex);
	return web != NULL ? web : web_new();
}

static void end_turn(struct s3 *s3, struct web *web, const struct err *err)
{
	pthread_mutex_lock(&s3->mutex);
	s3->idle[s3->idle_count++] = web;
	pthread_mutex_unlock(&s3->mutex);
	turns_end(s3->turns, err);
}

int s3_health(struct s3 *s3, struct err *err)
{
	return turns_health(s3->turns, err);
}

/* ---- a request ---- */

static bool key_ok(const char *key)
{
	return key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			       "0123456789-._/")] == '\0';
}

struct headers {
	char lines[HEADERS_MAX][HEADER_LEN];
	const char *list[HEADERS_MAX + 1];
	size_t count;
};

static void add_header(struct headers *headers, const char *name, const char *value)
{
	size_t i = headers->count++;

	assert(i < HEADERS_MAX);
	assert((size_t)snprintf(headers->lines[i], HEADER_LEN, "%s: %s", name, value) < HEADER_LEN);
	headers->list[i] = headers->lines[i];
	headers->list[i + 1] = NULL;
}

/* The headers of a request, all of them signed, but the length and the type. */
static void sign(struct s3 *s3, const struct s3_request *request, const char *path,
	const char *query, struct headers *headers)
{
	char date[SIGV4_DATE_LEN + 1], hash[SIGV4_HASH_LEN + 1];
	const struct sigv4_key key = { s3->access, s3->secret, s3->region, "s3" };
	struct sigv4_header signed_headers[5];
	struct sigv4_request signing = {
		.method = request->method,
		.path = path,
		.query = query,
		.headers = signed_headers,
		.payload_hash = hash,
	};
	struct buf authorization;
	size_t count = 0;

	sigv4_date(s3->now(), date);
	sigv4_hash(request->body, hash);
	signed_headers[count++] = (struct sigv4_header){ "host", s3->host };
	if (request->only_if_new)
		signed_headers[count++] = (struct sigv4_header){ "if-none-match", "*" };
	if (request->range != NULL)
		signed_headers[count++] = (struct sigv4_header){ "range", request->range };
	signed_headers[count++] = (struct sigv4_header){ "x-amz-content-sha256", hash };
	signed_headers[count++] = (struct sigv4_header){ "x-amz-date", date };
	signing.header_count = count;
	for (size_t i = 0; i < count; i++)
		add_header(headers, signed_headers[i].name, signed_headers[i].value);

	buf_init(&authorization, HEADER_LEN);
	sigv4_sign(&key, &signing, date, &authorization);
	buf_put_u8(&authorization, '\0');
	assert(buf_ok(&authorization));
	add_header(headers, "Authorization", (const char *)authorization.data);
	buf_fini(&authorization);
	if (strcmp(request->method, "PUT") == 0)
		add_header(headers, "Content-Type", "application/octet-stream");
}

/* No answer came, or one of more bytes than it may have. */
static enum err_code code_without_answer(
	const struct s3_request *request, const struct web_response *response, enum err_code code)
{
	bool changes = strcmp(request->method, "PUT") == 0 ||
		       strcmp(request->method, "DELETE") == 0;

	if (!response->sent)
		return ERR_UNREACHABLE;
	if (changes)
		return ERR_UNKNOWN;
	if (code == ERR_TOO_LARGE)
		return ERR_CORRUPT;
	return code == ERR_BAD_REQUEST ? ERR_UNREACHABLE : code;
}

static int judge(const struct s3_request *request, const struct web_response *response,
	const char *url, struct err *err)
{
	char code[S3_CODE_MAX + 1] = "";
	enum err_code outcome;

	if (response->status >= 300)
		s3_error_code(buf_span(&response->body), code);
	outcome = s3_outcome(request->method, response->status, code);
	if (outcome == ERR_NONE)
		return 0;
	return err_set(err, outcome, "%s %s: the S3 service answers %d %s", request->method, url,
		response->status, code);
}

static int ask(struct s3 *s3, struct web *web, const struct s3_request *request,
	struct web_response *response, struct err *err)
{
	char url[URL_MAX], path[S3_KEY_MAX + 128], query[URL_MAX / 2];
	struct headers headers = { 0 };
	struct web_request asked = {
		.method = request->method,
		.url = url,
		.headers = headers.list,
		.body = request->body,
		.avoid = request->avoid,
		.timeout_ms = request->deadline_ms - s3->now_ms(),
		.connect_timeout_ms = s3->connect_timeout_ms,
		.max_body = request->max_body > BODY_LEAST ? request->max_body : BODY_LEAST,
		.ca_file = s3->ca_file,
	};
	struct err failure = { 0 };

	if (asked.timeout_ms <= 0)
		return err_set(err, ERR_BUSY, "the deadline passed before it was asked");
	snprintf(path, sizeof path, "%s/%s", s3->path, request->key == NULL ? "" : request->key);
	snprintf(query, sizeof query, "%.*s", (int)request->query.len,
		(const char *)request->query.data);
	snprintf(url, sizeof url, "%s%s%s%s", s3->base, path, query[0] == '\0' ? "" : "?", query);
	sign(s3, request, path, query, &headers);
	if (web_ask(web, &asked, response, &failure) == 0)
		return judge(request, response, url, err);
	return err_set(
		err, code_without_answer(request, response, failure.code), "%s", failure.text);
}

int s3_ask(struct s3 *s3, const struct s3_request *request, struct web_response *response,
	struct err *err)
{
	struct err failure = { 0 };
	struct web *web;

	assert(request->key == NULL ||
		(key_ok(request->key) && strlen(request->key) <= S3_KEY_MAX));
	assert(request->query.len < URL_MAX / 2);
	web = take_turn(s3, request->deadline_ms, err);
	if (web == NULL)
		return -1;
	ask(s3, web, request, response, &failure);
	end_turn(s3, web, &failure);
	if (failure.code == ERR_NONE)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}
