# egret import: a mesh's manifests become a policy that opens what they opened, and no more.

manifest() {
	cat >m.yaml
	status "$EGRET" import -o out.ini m.yaml
	cp err import.err
	chmod 600 out.ini 2>/dev/null || true
	export EGRET_CONFIG=$T/out.ini
}

allowed() {
	local target
	for target; do "$EGRET" explain "$target" >/dev/null || fail "$target is denied"; done
}

denied() {
	local target
	for target; do
		status "$EGRET" explain "$target"
		expect_status 1
	done
}

service() { # NAME HOSTS PORT PROTOCOL [MORE]
	printf -- '---\nkind: ServiceEntry\nmetadata: {name: %s}\nspec:\n  hosts: [%s]\n  ports: [{number: %s, name: p, protocol: %s}]\n  resolution: DNS\n%b' "$@" ""
}

test_import_gives_the_policies_of_the_walk_through() { # quick
	"$EGRET" import -o a.ini "$ROOT/examples/books/origination.yaml" 2>err
	expect err "origination.yaml:22: trafficPolicy.loadBalancer"
	equal "$("$EGRET" explain -c a.ini --json http://www.googleapis.com:443/ | jq -r '.verdict, .tls, .verify, .protocol' | xargs)" "allow originate full http"
	status "$EGRET" explain -c a.ini http://www.googleapis.com/
	expect_status 1
	"$EGRET" import -o b.ini "$ROOT/examples/books/passthrough.yaml" 2>err
	equal "$("$EGRET" explain -c b.ini --json https://www.googleapis.com/ | jq -r '.verdict, .tls' | xargs)" "allow passthrough"
	status "$EGRET" explain -c b.ini https://other.example/
	expect_status 1
}

details_say() {
	[[ "$(curl -sS --max-time 20 "http://127.0.0.1:$PORT/details/0486424618")" == *"$1"* ]]
}

fetch_details() {
	start_tls right --http --listen 203.0.113.9:443
	"$EGRET" import -o egret.ini "$ROOT/examples/books/origination.yaml" 2>/dev/null
	sed -i "s|^unmatched = .*|&\nlog = $T/log\ntls_ca_file = $CERTS/ca.pem|" egret.ini
	chmod 600 egret.ini
	free_port
	"$EGRET" run --sandbox=off -c egret.ini -- "$@" "$PORT" http://www.googleapis.com:443/books/v1/volumes 2>service.err &
	wait_for 20 listening "$PORT"
	curl -sS --max-time 20 "http://127.0.0.1:$PORT/details/0486424618" >answer
	expect answer "hello over tls"
	expect plain "GET /books/v1/volumes?q=isbn:0486424618 HTTP/1.1"
	"$EGRET" delete -c egret.ini books
	wait_for 20 details_say "Error fetching product details"
}

test_the_plaintext_details_service_fetches_over_tls_under_the_imported_policy_until_its_entry_is_deleted() { # quick
	need ruby
	need_library
	export -f details_say
	in_network_with_names "203.0.113.9 www.googleapis.com" fetch_details ruby "$ROOT/examples/books/details.rb"
}

test_import_warns_of_every_field_without_a_counterpart_with_its_line() { # quick
	manifest <<-'Y'
		kind: ServiceEntry
		metadata: {name: a}
		spec:
		  hosts: [a.example, "*"]
		  exportTo: ["."]
		  ports: [{number: 80, name: http, protocol: HTTP, colour: red}]
		  resolution: DNS
		  frobnicate: 1
		---
		kind: DestinationRule
		metadata: {name: a}
		spec:
		  host: a.example
		  trafficPolicy:
		    connectionPool: {}
		    tls: {mode: SIMPLE, hue: blue}
		---
		kind: Gateway
		metadata: {name: g}
	Y
	expect_status 0
	local line
	for line in "m.yaml:4: \* is no host" "m.yaml:5: exportTo" "m.yaml:6: ports.colour" "m.yaml:8: frobnicate" \
		"m.yaml:15: trafficPolicy.connectionPool" "m.yaml:16: tls.hue" "m.yaml:18: kind Gateway"; do
		grep -qE "warning: $line" import.err || fail "no warning: $line"
	done
	allowed http://a.example/
}

test_import_verifies_nothing_only_where_the_manifest_says_so_and_warns() { # quick
	manifest < <(service a a.example 80 HTTP; printf -- '---\nkind: DestinationRule\nspec: {host: a.example, trafficPolicy: {tls: {mode: SIMPLE, sni: front.example, insecureSkipVerify: true}}}\n')
	expect import.err "tls_verify = none"
	equal "$("$EGRET" explain --json http://a.example/ | jq -r '.tls, .server_name, .verify' | xargs)" "originate front.example none"
}

test_import_of_mutual_tls_names_the_files_and_of_the_meshs_own_is_an_error() { # quick
	certificates
	manifest < <(service a a.example 80 TCP; printf -- '---\nkind: DestinationRule\nspec: {host: "*.example", trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: %s/client.pem, privateKey: %s/client.key, caCertificates: %s/ca.pem}}}\n' "$CERTS" "$CERTS" "$CERTS")
	expect_status 0
	expect out.ini "tls_client_key = $CERTS/client.key"
	manifest < <(service a a.example 80 TCP; printf -- '---\nkind: DestinationRule\nspec: {host: a.example, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}\n')
	expect_status 1
	expect import.err "ISTIO_MUTUAL"
	manifest < <(service a a.example 80 TCP; printf -- '---\nkind: DestinationRule\nspec: {host: a.example, trafficPolicy: {tls: {mode: SIMPLE, credentialName: x}}}\n')
	expect import.err "--credentials=DIR"
	denied a.example:80
	mkdir -p secrets/x
	cp "$CERTS/ca.pem" secrets/x/ca.crt
	"$EGRET" import -o out.ini --credentials=secrets m.yaml
	expect out.ini "tls_ca_file = $T/secrets/x/ca.crt"
}

test_import_follows_a_rewritten_port_and_its_own_tls_settings() { # quick
	manifest <<-'Y'
		kind: ServiceEntry
		metadata: {name: a}
		spec:
		  hosts: [a.example]
		  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTP, targetPort: 8443}]
		  resolution: DNS
		---
		kind: VirtualService
		spec:
		  hosts: [a.example]
		  http: [{match: [{port: 80}], route: [{destination: {host: a.example, subset: s, port: {number: 443}}}]}]
		---
		kind: DestinationRule
		spec:
		  host: a.example
		  subsets: [{name: s, trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}}]
	Y
	equal "$("$EGRET" explain --json http://a.example/ | jq -r '.tls, .dial[0]' | xargs)" "originate a.example:8443"
	denied http://a.example:443/ # the VirtualService has no route for it
}

test_routes_with_conditions_never_import_wider() { # quick
	manifest < <(service a a.example 80 HTTP; cat <<-'Y'
		---
		kind: VirtualService
		spec:
		  hosts: [a.example]
		  http:
		  - match: [{uri: {prefix: /v1/secret}}]
		    directResponse: {status: 403}
		  - match: [{uri: {prefix: /v1/}, method: {exact: GET}}, {uri: {exact: /health}}]
		    route: [{destination: {host: a.example}}]
		  - match: [{headers: {x: {exact: "y"}}}]
		    route: [{destination: {host: a.example}}]
		  - match: [{uri: {regex: ".*"}}]
		    route: [{destination: {host: a.example}}]
	Y
	)
	allowed http://a.example/v1/x http://a.example/health
	denied http://a.example/ http://a.example/v1/secret http://a.example/v1/secret/x http://a.example/healthy
	equal "$(grep -c 'conditions that a policy cannot state' import.err)" 2
}

test_routes_to_another_host_are_left_out() { # quick
	manifest < <(service a 'a.example, b.example' 443 TLS; printf -- '---\nkind: VirtualService\nspec: {hosts: [a.example], tls: [{match: [{port: 443, sniHosts: [a.example]}], route: [{destination: {host: gateway.example}}]}]}\n')
	denied https://a.example/
	allowed https://b.example/
	expect import.err "leads to another host"
}

test_a_host_left_out_does_not_get_in_by_a_wildcard() { # quick
	manifest < <(service w '"*.w.example"' 443 TLS; service a a.w.example 443 HTTPS '  endpoints: [{address: elsewhere.example}]\n')
	allowed https://b.w.example/
	denied https://a.w.example/
	expect import.err "an endpoint is no IP address"
}

test_fixed_endpoints_become_addresses_and_networks_become_hosts() { # quick
	manifest <<-'Y'
		kind: ServiceEntry
		metadata: {name: fixed}
		spec:
		  hosts: [db.example]
		  ports: [{number: 3306, name: db, protocol: TCP, targetPort: 3307}]
		  resolution: STATIC
		  endpoints: [{address: 192.0.2.7, ports: {db: 3308}}, {address: "2001:db8::7"}]
		---
		kind: ServiceEntry
		metadata: {name: net}
		spec:
		  hosts: [some.label]
		  addresses: [198.51.100.0/24]
		  ports: [{number: 5432, name: tcp, protocol: TCP}]
	Y
	equal "$("$EGRET" explain --json db.example:3306 | jq -c .dial)" '["192.0.2.7:3308","[2001:db8::7]:3307"]'
	allowed 198.51.100.9:5432
	denied some.label:5432 198.51.100.9:80
}

test_a_sidecar_hides_what_it_does_not_name_and_sets_unmatched() { # quick
	manifest < <(service a a.example 80 HTTP; service b b.example 80 HTTP; printf -- '---\nkind: Sidecar\nspec: {egress: [{hosts: ["*/a.example"]}], outboundTrafficPolicy: {mode: ALLOW_ANY}}\n')
	expect import.err "unmatched = allow"
	equal "$("$EGRET" explain --json a.example:80 | jq -r .entry)" a
	equal "$("$EGRET" explain --json b.example:80 | jq -r .reason)" unmatched
	sed -i 's/ALLOW_ANY/REGISTRY_ONLY/' m.yaml
	manifest <m.yaml
	denied b.example:80
}

test_operations_of_authorization_policies_become_http_rules() { # quick
	manifest < <(service a 'a.example, b.example' 80 HTTP; service t t.example 25 TCP; cat <<-'Y'
		---
		kind: AuthorizationPolicy
		spec:
		  action: ALLOW
		  rules:
		  - to: [{operation: {hosts: [a.example], methods: [GET, HEAD], paths: ["/v1/*", /exact, "*.png"]}}]
		  - from: [{source: {principals: [x]}}]
		    to: [{operation: {methods: [POST]}}]
		---
		kind: AuthorizationPolicy
		spec:
		  action: DENY
		  rules: [{to: [{operation: {paths: ["/v1/secret*"]}}]}]
	Y
	)
	allowed http://a.example/v1/x http://a.example/exact http://a.example/p/q.png
	denied http://a.example/ http://a.example/v1/secret/x http://b.example/v1/x t.example:25
	expect import.err "does not know who asks"
	expect_not out.ini POST
}

test_import_refuses_what_is_no_yaml_and_a_key_given_twice() { # quick
	manifest < <(printf 'kind: [\n')
	expect_status 1
	expect import.err "m.yaml:2: is no YAML"
	manifest < <(service a a.example 80 HTTP; echo '  hosts: [b.example]')
	expect_status 1
	expect import.err "hosts is given twice"
	printf 'a: &a [*a]\n' >m.yaml
	status "$EGRET" import m.yaml
	expect_status 1
	status "$EGRET" import missing.yaml
	expect_status 1
	expect err "missing.yaml: cannot be opened"
}

test_a_value_cannot_smuggle_a_line_into_the_policy() { # quick
	manifest < <(service a a.example 80 HTTP; printf -- '---\nkind: DestinationRule\nspec: {host: a.example, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: "x\\naction = allow\\n[b]\\nhosts = evil.example"}}}\n')
	expect_not out.ini evil.example
	denied http://a.example/
	manifest < <(service 'a] x' a.example 80 HTTP)
	[ "$STATUS" != 0 ] || "$EGRET" check
}

test_import_reads_standard_input() { # quick
	status "$EGRET" import - <"$ROOT/examples/books/origination.yaml"
	expect_status 0
	expect out "hosts = www.googleapis.com"
}
