/* s3_outcome.c - what the answers of S3 services mean. */
#include "store/s3_client.h"

#include <string.h>

/* What the code says more exactly than the status does, whoever sends it. */
static const struct {
	const char *code;
	enum err_code outcome;
} codes[] = {
	{ "NoSuchKey", ERR_NOT_FOUND },
	{ "NoSuchBucket", ERR_NOT_ALLOWED },
	{ "QuotaExceeded", ERR_FULL },
	{ "ServiceQuotaExceeded", ERR_FULL },
	{ "XMinioStorageFull", ERR_FULL },
	{ "SlowDown", ERR_BUSY },
	{ "ServiceUnavailable", ERR_BUSY },
	{ "TooManyRequests", ERR_BUSY },
	/* What arrived was not what was sent, or not all of it: nothing was done. */
	{ "RequestTimeout", ERR_BUSY },
	{ "BadDigest", ERR_BUSY },
	{ "IncompleteBody", ERR_BUSY },
	{ "XAmzContentSHA256Mismatch", ERR_BUSY },
	{ "ConditionalRequestConflict", ERR_BUSY },
	{ "OperationAborted", ERR_BUSY },
};

static bool changes(const char *method)
{
	return strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
}

enum err_code s3_outcome(const char *method, int status, const char *code)
{
	if (status >= 200 && status <= 299)
		return ERR_NONE;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].outcome;
	switch (status) {
	case 404: /* of whatever else, a proxy's page for example */
		return ERR_NOT_ALLOWED;
	case 412:
		return ERR_EXISTS;
	case 429:
	case 503:
		return ERR_BUSY;
	case 501:
		return ERR_UNSUPPORTED;
	case 507:
		return ERR_FULL;
	default:
		break;
	}
	if (status >= 500)
		return changes(method) ? ERR_UNKNOWN : ERR_UNREACHABLE;
	return ERR_NOT_ALLOWED; /* redirects too: endpoint or region are wrong */
}
