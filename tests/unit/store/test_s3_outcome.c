#include "store/s3_client.h"
#include "unit.h"

TEST(an_answer_means_what_it_says)
{
	static const struct {
		const char *method;
		int status;
		const char *code;
		enum err_code outcome;
	} rows[] = {
		{ "PUT", 200, "", ERR_NONE },
		{ "GET", 206, "", ERR_NONE },
		{ "DELETE", 204, "", ERR_NONE },
		{ "GET", 404, "NoSuchKey", ERR_NOT_FOUND },
		/* A missing bucket, or a proxy's page, is no missing picture. */
		{ "GET", 404, "NoSuchBucket", ERR_NOT_ALLOWED },
		{ "GET", 404, "", ERR_NOT_ALLOWED },
		{ "HEAD", 404, "", ERR_NOT_ALLOWED },
		{ "PUT", 412, "PreconditionFailed", ERR_EXISTS },
		{ "PUT", 409, "ConditionalRequestConflict", ERR_BUSY },
		{ "PUT", 501, "NotImplemented", ERR_UNSUPPORTED },
		{ "PUT", 507, "", ERR_FULL },
		{ "PUT", 403, "QuotaExceeded", ERR_FULL },
		{ "PUT", 403, "AccessDenied", ERR_NOT_ALLOWED },
		{ "GET", 403, "SignatureDoesNotMatch", ERR_NOT_ALLOWED },
		{ "GET", 401, "", ERR_NOT_ALLOWED },
		{ "GET", 301, "PermanentRedirect", ERR_NOT_ALLOWED },
		{ "GET", 503, "SlowDown", ERR_BUSY },
		{ "PUT", 503, "", ERR_BUSY },
		{ "GET", 429, "", ERR_BUSY },
		{ "PUT", 400, "RequestTimeout", ERR_BUSY },
		{ "PUT", 400, "BadDigest", ERR_BUSY },
		{ "PUT", 500, "InternalError", ERR_UNKNOWN },
		{ "DELETE", 502, "", ERR_UNKNOWN },
		{ "PUT", 504, "", ERR_UNKNOWN },
		{ "GET", 500, "InternalError", ERR_UNREACHABLE },
		{ "HEAD", 502, "", ERR_UNREACHABLE },
		{ "GET", 418, "", ERR_NOT_ALLOWED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum err_code got = s3_outcome(rows[i].method, rows[i].status, rows[i].code);

		if (got != rows[i].outcome)
			fail_msg("%s %d %s is %s", rows[i].method, rows[i].status, rows[i].code,
				err_word(got));
	}
}
