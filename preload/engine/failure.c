#include "internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void egret_failure(struct egret_tls_error *error, enum egret_tls_failure failure, const char *format, ...)
{
	va_list list;
	if (!error)
		return;
	error->failure = failure;
	va_start(list, format);
	vsnprintf(error->text, sizeof error->text, format, list);
	va_end(list);
}

const char *egret_failure_reason(void)
{
	egret_lean_error_texts();
	const char *text = ERR_reason_error_string(ERR_peek_last_error());
	return text ? text : "unknown";
}

/* Appends what a certificate says, its control and foreign bytes as '?': the text goes into logs. */
static size_t append_shown(char *buf, size_t used, size_t size, const char *data, size_t len)
{
	if (used && used + 2 < size) {
		memcpy(buf + used, ", ", 2);
		used += 2;
	}
	for (size_t i = 0; i < len && used + 1 < size; i++)
		buf[used++] = data[i] > 0x20 && data[i] < 0x7f ? data[i] : '?';
	buf[used] = '\0';
	return used;
}

/* The names of a certificate as one list, for a mismatch. */
static void names_of(X509 *certificate, char *buf, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;
	buf[0] = '\0';
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && used + 1 < size; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		char text[INET6_ADDRSTRLEN];
		if (name->type == GEN_DNS)
			used = append_shown(buf, used, size, (const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
		else if (name->type == GEN_IPADD && inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6,
							       ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text))
			used = append_shown(buf, used, size, text, strlen(text));
	}
	GENERAL_NAMES_free(names);
	if (used == 0)
		snprintf(buf, size, "no name");
}

static void date_of(const ASN1_TIME *time, char *buf, size_t size)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(time, &tm))
		memset(&tm, 0, sizeof tm);
	strftime(buf, size, "%Y-%m-%d", &tm);
}

static void unverified(const struct egret_tls *tls, long result, struct egret_tls_error *error)
{
	X509 *peer = tls->rejected ? tls->rejected : SSL_get0_peer_certificate(tls->ssl);
	char names[200] = "another name", date[16] = "", start[16] = "";
	if (peer) {
		names_of(peer, names, sizeof names);
		date_of(X509_get0_notAfter(peer), date, sizeof date);
		date_of(X509_get0_notBefore(peer), start, sizeof start);
	}
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		egret_failure(error, EGRET_TLS_UNVERIFIED,
			      "expected a certificate for %s, got one for %s; if that server is the right one, set tls_server_name", tls->name, names);
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate of %s expired (it was valid until %s); the server must renew it", tls->name, date);
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate of %s is valid from %s on only; is this machine's clock right?", tls->name, start);
		return;
	case X509_V_ERR_CERT_REVOKED:
		egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate of %s was revoked, says tls_crl_file; the server must get a new one", tls->name);
		return;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		egret_failure(error, EGRET_TLS_UNVERIFIED,
			      "tls_crl_file holds no revocation list of the CA that issued the certificate of %s; add it there", tls->name);
		return;
	case X509_V_ERR_CRL_HAS_EXPIRED:
		egret_failure(error, EGRET_TLS_UNVERIFIED,
			      "the revocation list of the CA that issued the certificate of %s is out of date; get a new one for tls_crl_file", tls->name);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		egret_failure(error, EGRET_TLS_UNVERIFIED,
			      "expected a certificate of %s issued by a CA of %s, got one of an unknown CA (%s); to trust it, set tls_ca_file", tls->name,
			      tls->ctx->ca_from, X509_verify_cert_error_string(result));
		return;
	}
	egret_failure(error, EGRET_TLS_UNVERIFIED, "the certificate of %s was not accepted: %s; see tls_ca_file, tls_crl_file and tls_verify",
		      tls->name, X509_verify_cert_error_string(result));
}

/* Is FIRST the start of a TLS record (RFC 8446 5.1)? */
static bool is_record(const uint8_t *first, size_t len)
{
	return len < 3 || (first[0] >= 20 && first[0] <= 23 && first[1] == 3 && first[2] <= 4);
}

/* RFC 8446 6.2: the server says what it did not like; which key changes that? */
static void alerted(const char *what, int reason, struct egret_tls_error *error)
{
	const char *keys;
	switch (reason - SSL_AD_REASON_OFFSET) {
	case SSL_AD_CERTIFICATE_REQUIRED:
		keys = "it wants a certificate of the client: set tls_client_cert and tls_client_key";
		break;
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
		keys = "it did not accept the client's certificate; see tls_client_cert";
		break;
	case SSL_AD_PROTOCOL_VERSION:
		keys = "see tls_min_version and tls_max_version";
		break;
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		keys = "it speaks none of tls_alpn";
		break;
	case SSL_AD_UNRECOGNIZED_NAME:
		keys = "it does not know the name asked for; see tls_server_name";
		break;
	default:
		keys = "see tls_min_version, tls_ciphers, tls_ciphersuites, tls_groups and tls_client_cert";
	}
	egret_failure(error, EGRET_TLS_PROTOCOL, "the server ended the %s with an alert: %s; %s", what, egret_failure_reason(), keys);
}

void egret_failure_of_handshake(const struct egret_tls *tls, struct egret_tls_error *error)
{
	long result = SSL_get_verify_result(tls->ssl);
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_REASON(code);
	if (tls->out_failed || reason == ERR_R_MALLOC_FAILURE) {
		egret_failure(error, EGRET_TLS_MEMORY, "out of memory");
	} else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || (result != X509_V_OK && tls->ctx->verify != EGRET_VERIFY_NONE)) {
		unverified(tls, result, error);
	} else if (!is_record(tls->first, tls->first_len)) {
		char shown[17];
		for (size_t i = 0; i < 16; i++)
			shown[i] = i < tls->first_len && tls->first[i] >= 0x20 && tls->first[i] < 0x7f ? (char)tls->first[i] : '.';
		shown[tls->first_len < 16 ? tls->first_len : 16] = '\0';
		egret_failure(error, EGRET_TLS_PROTOCOL,
			      "expected a TLS ServerHello, the server speaks plaintext on this port (it began with \"%s\"); set connect_port to its TLS "
			      "port, or tls_starttls, or tls = off",
			      shown);
	} else if (reason >= SSL_AD_REASON_OFFSET) {
		alerted("handshake", reason, error);
	} else {
		egret_failure(error, EGRET_TLS_PROTOCOL, "the TLS handshake failed: %s; see tls_min_version, tls_ciphers and tls_groups", egret_failure_reason());
	}
}

/* A record that was read, and that says what has no place behind a handshake (RFC 8446 4.6): a request to begin anew, one for a
 * certificate, a message that is none. Any other reason is the record's own. */
static bool is_misplaced(int reason)
{
	switch (reason) {
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_UNEXPECTED_RECORD:
	case SSL_R_UNEXPECTED_CCS_MESSAGE:
	case SSL_R_NOT_ON_RECORD_BOUNDARY:
	case SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA:
	case SSL_R_EXCESSIVE_MESSAGE_SIZE:
	case SSL_R_LENGTH_MISMATCH:
	case SSL_R_BAD_KEY_UPDATE:
	case SSL_R_BAD_EXTENSION:
		return true;
	}
	return false;
}

void egret_failure_of_record(struct egret_tls_error *error)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	if (reason >= SSL_AD_REASON_OFFSET)
		alerted("connection", reason, error);
	else if (is_misplaced(reason))
		egret_failure(error, EGRET_TLS_PROTOCOL, "the server asked within TLS for what has no place there: %s", egret_failure_reason());
	else
		egret_failure(error, EGRET_TLS_CONNECTION, "a record of the server could not be used: %s", egret_failure_reason());
}
