/* Two functions of libcrypto.a and libssl.a that a process which makes one connection spends a tenth of its start in, as they give the same in less
 * time. Linked with --wrap; where OpenSSL is a shared library (TLS_LINK=shared), or has no such functions, its own are called.
 */
#include "internal.h"

#include <openssl/evp.h>

unsigned long __wrap_ossl_lh_strcasehash(const char *text);
const EVP_CIPHER *__wrap_ssl_evp_cipher_fetch(OSSL_LIB_CTX *library, int nid, const char *properties);
const EVP_CIPHER *__real_ssl_evp_cipher_fetch(OSSL_LIB_CTX *library, int nid, const char *properties) __attribute__((weak));

/* A table of names asks for it 2000 times. Equal names but for case have equal hashes: bit 5 is what they differ in. */
unsigned long __wrap_ossl_lh_strcasehash(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (; text && *text; text++)
		hash = (hash ^ ((unsigned char)*text | 0x20)) * UINT64_C(1099511628211); /* FNV-1a */
	return (unsigned long)(hash ^ hash >> 32);
}

/* Suites of ciphers that only other providers have, or engines (GOST), of which there are none here: not searched for in each process. */
const EVP_CIPHER *__wrap_ssl_evp_cipher_fetch(OSSL_LIB_CTX *library, int nid, const char *properties)
{
	switch (nid) {
	case NID_des_cbc:
	case NID_rc4:
	case NID_rc2_cbc:
	case NID_idea_cbc:
	case NID_seed_cbc:
	case NID_gost89_cnt:
	case NID_gost89_cnt_12:
	case NID_magma_ctr_acpkm:
	case NID_kuznyechik_ctr_acpkm:
		return NULL;
	}
	return __real_ssl_evp_cipher_fetch(library, nid, properties);
}
