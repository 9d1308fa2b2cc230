#include "auth/digest.h"

#include <openssl/sha.h>

void digest(struct span bytes, uint8_t out[DIGEST_LEN])
{
	SHA256(bytes.data, bytes.len, out);
}
