/* OpenSSL without what a TLS client never asks for. A process that makes one connection and ends would spend half of its time before the
 * first answer in filling OpenSSL's tables: algorithms that no cipher suite, certificate or key names, texts of errors that do not happen.
 *
 * The default provider is asked through one of ours that passes on all but the algorithms below; what a newer OpenSSL has besides is passed
 * on, too. Error texts are loaded when there is an error, the names of ciphers and what else reads keys than certificates' when there is a private
 * key to read. All of that calls functions
 * inside libcrypto.a; where OpenSSL is a shared library (TLS_LINK=shared) they are not to be had, and it starts as it does by itself.
 */
#include "internal.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern OSSL_provider_init_fn ossl_default_provider_init __attribute__((weak));
extern int ossl_err_load_crypto_strings(void) __attribute__((weak));
extern int ossl_err_load_SSL_strings(void) __attribute__((weak));
extern void openssl_add_all_ciphers_int(void) __attribute__((weak));
extern void openssl_add_all_digests_int(void) __attribute__((weak));

/* Parts of names, or of properties, ended by "". */
struct left_out {
	int operation;
	char in_names[16][12];
	char in_properties[8][16];
};

static const struct left_out table[] = {
	{ OSSL_OP_DIGEST, { "BLAKE2", "SM3", "RIPEMD", "KECCAK" }, { "" } },
	{ OSSL_OP_CIPHER,
	  { "-XTS", "-OCB", "-SIV", "WRAP", "-CTS", "-CFB", "-OFB", "SM4", "DES-EDE-", "-192-", /* AES-256-CTR makes random numbers, by -ECB: */
	    "-128-CTR", "-128-ECB", "A-256-CTR", "A-256-ECB", "ARIA-128-C", "ARIA-256-C" },
	  { "" } },
	{ OSSL_OP_MAC, { "BLAKE2", "KMAC", "SIPHASH" }, { "" } },
	{ OSSL_OP_KDF, { "SCRYPT", "KBKDF", "SSHKDF", "X942KDF", "X963KDF", "SSKDF", "KRB5KDF" }, { "" } },
	{ OSSL_OP_KEYMGMT, { "SM2", "SCRYPT", "POLY1305", "SIPHASH", "CMAC" }, { "" } },
	{ OSSL_OP_SIGNATURE, { "SM2", "POLY1305", "SIPHASH", "CMAC" }, { "" } },
	{ OSSL_OP_DECODER, { "SM2", "DH", "X25519", "X448" },
	  { "input=msblob", "input=pvk", "input=pem", "PrivateKeyInfo", "type-specific", "structure=rsa", "structure=ec", "structure=dsa" } },
};
#define TABLE (sizeof table / sizeof table[0])

static OSSL_FUNC_provider_query_operation_fn *query_default;
static _Atomic(OSSL_ALGORITHM *) kept[TABLE]; /* made once, for good: the provider is never unloaded */

static bool is_left_out(const struct left_out *row, const OSSL_ALGORITHM *algorithm)
{
	for (size_t i = 0; i < sizeof row->in_names / sizeof row->in_names[0] && row->in_names[i][0]; i++)
		if (strstr(algorithm->algorithm_names, row->in_names[i]))
			return true;
	for (size_t i = 0; i < sizeof row->in_properties / sizeof row->in_properties[0] && row->in_properties[i][0]; i++)
		if (strstr(algorithm->property_definition, row->in_properties[i]))
			return true;
	return false;
}

/* The rows of ALL that are not left out; ALL itself when memory is out. Two threads may be here at once: one's list is kept. */
static const OSSL_ALGORITHM *keep(size_t row, const OSSL_ALGORITHM *all)
{
	size_t count = 0, used = 0;
	OSSL_ALGORITHM *none = NULL;
	while (all[count].algorithm_names)
		count++;
	OSSL_ALGORITHM *list = calloc(count + 1, sizeof *list);
	if (!list)
		return all;
	for (size_t i = 0; i < count; i++)
		if (!is_left_out(&table[row], &all[i]))
			memcpy(&list[used++], &all[i], sizeof *list); /* its members are constant */
	if (atomic_compare_exchange_strong(&kept[row], &none, list))
		return list;
	free(list);
	return none;
}

/* OpenSSL keeps the answer. It asks under no lock. */
static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
	const OSSL_ALGORITHM *all = query_default(context, operation, no_cache);
	for (size_t row = 0; all && row < TABLE; row++)
		if (table[row].operation == operation) {
			const OSSL_ALGORITHM *list = atomic_load(&kept[row]);
			return list ? list : keep(row, all);
		}
	return all;
}

#define FUNCTIONS 16 /* more than the default provider has */

static int start_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context)
{
	static OSSL_DISPATCH functions[FUNCTIONS];
	const OSSL_DISPATCH *theirs = NULL;
	if (!ossl_default_provider_init(handle, in, &theirs, context))
		return 0;
	*out = theirs;
	size_t count = 0;
	for (; theirs[count].function_id && count + 1 < FUNCTIONS; count++) {
		functions[count] = theirs[count];
		if (theirs[count].function_id == OSSL_FUNC_PROVIDER_QUERY_OPERATION) {
			query_default = OSSL_FUNC_provider_query_operation(&theirs[count]);
			functions[count].function = (void (*)(void))query;
		}
	}
	if (query_default && !theirs[count].function_id)
		*out = functions;
	return 1;
}

void egret_lean_start(void)
{
	const uint64_t always = OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG;
	if (!ossl_default_provider_init || !ossl_err_load_crypto_strings || !ossl_err_load_SSL_strings || !openssl_add_all_ciphers_int ||
	    !openssl_add_all_digests_int) {
		OPENSSL_init_crypto(always, NULL);
		OPENSSL_init_ssl(always, NULL);
		return;
	}
	egret_blocks_use();
	OPENSSL_init_crypto(always | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS, NULL);
	OPENSSL_init_ssl(always | OPENSSL_INIT_NO_LOAD_SSL_STRINGS, NULL);
	if (OSSL_PROVIDER_add_builtin(NULL, "egret", start_provider))
		OSSL_PROVIDER_load(NULL, "egret"); /* where it does not, the default provider is there by itself */
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA256", NULL)); /* names by its fetch: none is taken over from the digests that follow */
	openssl_add_all_digests_int();
}

void egret_lean_error_texts(void)
{
	static pthread_once_t crypto = PTHREAD_ONCE_INIT, ssl = PTHREAD_ONCE_INIT;
	if (!ossl_err_load_crypto_strings || !ossl_err_load_SSL_strings)
		return;
	pthread_once(&crypto, (void (*)(void))ossl_err_load_crypto_strings);
	pthread_once(&ssl, (void (*)(void))ossl_err_load_SSL_strings);
}

static void prepare_keys(void)
{
	openssl_add_all_ciphers_int();
	OSSL_PROVIDER_load(NULL, "base"); /* OpenSSL's own readers of keys, all of them, for another provider's use */
}

void egret_lean_keys(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	if (openssl_add_all_ciphers_int)
		pthread_once(&once, prepare_keys);
}
