/* s3_xml.h - reads the two XML documents that an S3 service answers with.
 *
 * A page of a list (ListObjectsV2), of which this is kept:
 *
 *     <ListBucketResult>
 *       <IsTruncated>true</IsTruncated>
 *       <NextContinuationToken>...</NextContinuationToken>     if it is
 *       <Contents><Key>...</Key><Size>...</Size></Contents>    any number of times
 *     </ListBucketResult>
 *
 * and an error: <Error><Code>NoSuchKey</Code><Message>...</Message></Error>.  Elements
 * of other names are passed over.  A document type, which could define entities, and
 * whatever is not well-formed are refused. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum {
	S3_KEY_MAX = 1024, /* bytes of a key */
	S3_TOKEN_MAX = 2048,
	S3_CODE_MAX = 63,
};

struct s3_object {
	char key[S3_KEY_MAX + 1];
	uint64_t size;
};

struct s3_page {
	bool more;                    /* there is another page, behind `token` */
	char token[S3_TOKEN_MAX + 1]; /* empty unless there is */
	size_t count;
	/* Called for each object; false ends the reading, which is no failure. */
	bool (*found)(void *context, const struct s3_object *object);
	void *context;
	bool stopped; /* `found` returned false */
};

/* Read a page: the caller fills found and context.  ERR_CORRUPT if it is none. */
int s3_page_read(struct span text, struct s3_page *page, struct err *err);

/* The code of an error; "" if it is no such document. */
void s3_error_code(struct span text, char out[S3_CODE_MAX + 1]);
