#include "policy.h"

const char *egret_reason_text(enum egret_reason reason)
{
	switch (reason) {
	case EGRET_REASON_NONE:
		return "it was not decided";
	case EGRET_REASON_ENTRY:
		return "an entry covers it";
	case EGRET_REASON_DENY_ENTRY:
		return "a deny entry covers it";
	case EGRET_REASON_NO_ENTRY:
		return "no entry covers it";
	case EGRET_REASON_PORT:
		return "no entry covers this port of the host";
	case EGRET_REASON_PROTOCOL:
		return "entries cover it for another protocol only";
	case EGRET_REASON_INTERNAL:
		return "it is internal";
	case EGRET_REASON_UNMATCHED:
		return "no entry covers it, which the policy allows";
	case EGRET_REASON_OFF:
		return "the mode is off";
	case EGRET_REASON_LINK_LOCAL:
		return "the name was resolved to a link-local or metadata address; name that address in an entry, or in its `addresses`";
	case EGRET_REASON_REBINDING:
		return "a name below a *.suffix was resolved to a loopback or private address; name the host itself in an entry";
	case EGRET_REASON_BAD_NAME:
		return "it is not a host name";
	case EGRET_REASON_NO_POLICY:
		return "no policy could be loaded";
	case EGRET_REASON_SNI:
		return "its ClientHello asks for a server name that is none of the entry's hosts";
	case EGRET_REASON_NO_SNI:
		return "its ClientHello asks for no server name, so that nothing tells whether it is one of the entry's hosts";
	case EGRET_REASON_ECH:
		return "its ClientHello hides the server name (ECH); it must be readable";
	case EGRET_REASON_BAD_HELLO:
		return "it began like TLS, but not with a ClientHello that can be read";
	case EGRET_REASON_NO_HELLO:
		return "it did not begin with a ClientHello; what is no TLS needs protocol = tcp";
	}
	return "it was not decided";
}

const char *egret_reason_name(enum egret_reason reason)
{
	switch (reason) {
	case EGRET_REASON_NONE:
		return "not_decided";
	case EGRET_REASON_ENTRY:
		return "entry";
	case EGRET_REASON_DENY_ENTRY:
		return "deny_entry";
	case EGRET_REASON_NO_ENTRY:
		return "no_entry";
	case EGRET_REASON_PORT:
		return "port";
	case EGRET_REASON_PROTOCOL:
		return "protocol";
	case EGRET_REASON_INTERNAL:
		return "internal";
	case EGRET_REASON_UNMATCHED:
		return "unmatched";
	case EGRET_REASON_OFF:
		return "off";
	case EGRET_REASON_LINK_LOCAL:
		return "link_local";
	case EGRET_REASON_REBINDING:
		return "rebinding";
	case EGRET_REASON_BAD_NAME:
		return "bad_name";
	case EGRET_REASON_NO_POLICY:
		return "no_policy";
	case EGRET_REASON_SNI:
		return "sni";
	case EGRET_REASON_NO_SNI:
		return "no_sni";
	case EGRET_REASON_ECH:
		return "ech";
	case EGRET_REASON_BAD_HELLO:
		return "bad_hello";
	case EGRET_REASON_NO_HELLO:
		return "no_hello";
	}
	return "not_decided";
}

const char *egret_protocol_name(enum egret_protocol protocol)
{
	switch (protocol) {
	case EGRET_TCP:
		return "tcp";
	case EGRET_UDP:
		return "udp";
	case EGRET_TLS:
		return "tls";
	case EGRET_HTTP:
		return "http";
	case EGRET_UNIX:
		return "unix";
	}
	return "unknown";
}

const char *egret_mode_name(enum egret_mode mode)
{
	switch (mode) {
	case EGRET_ENFORCE:
		return "enforce";
	case EGRET_AUDIT:
		return "audit";
	case EGRET_OFF:
		return "off";
	}
	return "unknown";
}
