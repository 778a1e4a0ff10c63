#!/usr/bin/env bash
# make.sh DIR: the certificates of the tests, made once into DIR (nothing in the tree can expire).
#
#   ca.pem                 the test CA                other-ca.pem       a CA that nobody trusts
#   right.pem right.key    P-256, the names below     right-rsa.*        the same names with RSA
#   wrong.*                valid, for other.example   expired.*          the right names, ended yesterday
#   unknown.*              the right names, signed by other-ca            client.*  for mutual TLS
#   revoked.*, ca.crl      the right names, revoked by the CA
#   ip.*                   for 127.0.0.1 and ::1              good.example.* the name as CN only, in no subjectAltName
#   partial.*              for f*.wild.example
#   hash/                  the CA as a hashed directory (tls_ca_path)
set -euo pipefail

names="DNS:www.googleapis.com,DNS:api.example.com,DNS:good.example,DNS:*.wild.example,DNS:localhost"
dir=$1
mkdir -p "$dir"
exec 8>"$dir/.lock"
flock 8
made_by=$(cksum <"$0")
[ "$(cat "$dir/.done" 2>/dev/null)" != "$made_by" ] || exit 0
cd "$dir"
rm -f -- *.pem *.key *.csr *.cnf index.* serial.*

# key NAME [rsa]
key() {
	if [ "${2:-}" = rsa ]; then
		openssl genrsa -out "$1.key" 2048
	else
		openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
	fi
	chmod 600 "$1.key"
}

# authority NAME
authority() {
	key "$1"
	openssl req -x509 -new -key "$1.key" -subj "/O=egret tests/CN=$1" -days 3650 -out "$1.pem" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# leaf NAME CA SAN USAGE [rsa] [START END]: signed by CA, with the chain in one file.
leaf() {
	key "$1" "${5:-}"
	openssl req -new -key "$1.key" -subj "/O=egret tests/CN=$1" -out "$1.csr"
	cat >"$1.cnf" <<-CONF
		[ca]
		default_ca = here
		[here]
		database = index.$2
		serial = serial.$2
		new_certs_dir = .
		default_md = sha256
		policy = any
		default_days = 3650
		default_crl_days = 3650
		unique_subject = no
		[any]
		commonName = supplied
		organizationName = optional
		[leaf]
		subjectAltName = $3
		extendedKeyUsage = $4
		basicConstraints = critical,CA:FALSE
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
	CONF
	[ -e "index.$2" ] || { : >"index.$2"; echo 1000 >"serial.$2"; }
	openssl ca -batch -notext -config "$1.cnf" -extensions leaf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
		${6:+-startdate "$6" -enddate "$7"}
	cp "$1.pem" "$1.alone.pem"
	cat "$2.pem" >>"$1.pem"
}

make_all() {
	authority ca
	authority other-ca
	leaf right ca "$names" serverAuth
	leaf right-rsa ca "$names" serverAuth rsa
	leaf wrong ca DNS:other.example serverAuth
	leaf expired ca "$names" serverAuth '' "$(date -u -d '-30 days' +%y%m%d%H%M%SZ)" "$(date -u -d '-1 day' +%y%m%d%H%M%SZ)"
	leaf unknown other-ca "$names" serverAuth
	leaf client ca DNS:client.example clientAuth
	leaf ip ca IP:127.0.0.1,IP:::1 serverAuth
	leaf good.example ca email:nobody@good.example serverAuth
	leaf partial ca 'DNS:f*.wild.example' serverAuth
	leaf revoked ca "$names" serverAuth
	openssl ca -config revoked.cnf -cert ca.pem -keyfile ca.key -revoke revoked.alone.pem
	openssl ca -config revoked.cnf -cert ca.pem -keyfile ca.key -gencrl -out ca.crl
	mkdir -p hash
	cp ca.pem "hash/$(openssl x509 -in ca.pem -noout -hash).0"
}

make_all >make.log 2>&1 || { cat make.log >&2; exit 1; }
echo "$made_by" >.done
