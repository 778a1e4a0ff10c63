# The examples for containers and units, run as far as it goes without a container: what is installed, copied and set is what they say.

# stage: what `make install` puts into an image, as the Dockerfile calls it, in $T/stage.
stage() {
	local words
	words=$(sed -n 's/^RUN make -C \/src //p' "$ROOT/examples/docker/Dockerfile" | sed 's/ BUILD=[^ ]*//')
	eval "make -s -C \"\$ROOT\" BUILD=\"\$EGRET_BUILD\" ${words//\/stage/\$T/stage}" >"$T/make" 2>&1 || { cat "$T/make"; exit 1; }
}

# start_api: api.example.com as TLS on port 443, with a certificate of $T/ca.pem's.
start_api() {
	start_tls right --http --listen 127.0.0.1:443
	cp "$CERTS/ca.pem" "$T/ca.pem"
	chmod 644 "$T/ca.pem"
}

# policy_of: the example's, with the test's authority; readable by its user as in a container.
policy_of() {
	sed "/^\[egret\]/a tls_ca_file = $T/ca.pem" >"$T/egret.ini"
	chmod 644 "$T/egret.ini"
	open_to_nobody
}

# holds_to_the_api COMMAND...: curl reaches the API over TLS, and nothing else. Lines of the log are JSON.
holds_to_the_api() {
	status as_nobody "$@" /usr/bin/curl -sS --max-time 20 http://api.example.com/v1/orders
	expect_status 0
	expect "$T/out" "hello over tls"
	grep '^{' "$T/err" "${LOG:-/dev/null}" -h | python3 -c '
import json, sys
events = [json.loads(line) for line in sys.stdin]
assert any(e["event"] in ("http", "tls") for e in events), events'
	status as_nobody "$@" /usr/bin/curl -sS --max-time 20 http://203.0.113.9/
	[ "$STATUS" != 0 ] || fail "it reached something else"
	expect "$T/err" "denied tcp 203.0.113.9:80"
}

inside_docker() {
	local file entry
	. "$ROOT/tests/e2e/examples_containers.sh"
	stage
	start_api
	policy_of <"$ROOT/examples/docker/egret.ini"
	for file in Dockerfile compose.yaml; do
		mapfile -t entry < <(python3 -c '
import json, re, sys, yaml
file, policy, image = sys.argv[1:]
text = open(file).read()
words = yaml.safe_load(text)["services"]["app"]["entrypoint"] if file.endswith("yaml") else json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.M)[1])
for word in words: print({"egret": image + "/usr/bin/egret", "/etc/egret/egret.ini": policy}.get(word, word))' \
			"$ROOT/examples/docker/$file" "$T/egret.ini" "$T/stage")
		holds_to_the_api "${entry[@]}"
	done
}

test_the_docker_image_is_built_and_started_as_its_files_say() { # limit=180
	need_library
	need setpriv curl
	[ "$(id -u)" = 0 ] || skip "not root"
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	in_network_with_names "127.0.0.1 api.example.com" inside_docker
}

# The packages of its first stage are those that building needs (tests/deps.sh installs them here).
test_the_dockerfile_installs_what_building_needs() { # quick
	local package
	for package in $(sed -n '/^FROM debian:12 AS egret/,/^COPY/p' "$ROOT/examples/docker/Dockerfile" | grep -o '[a-z0-9-]*-dev\|build-essential\|pkg-config\|node-llhttp'); do
		grep -qw -- "$package" "$ROOT/tests/deps.sh" || fail "$package is no package that building needs"
	done
	for package in libssl-dev libinih-dev uthash-dev libyaml-dev libseccomp-dev libidn2-dev; do expect "$ROOT/examples/docker/Dockerfile" "$package"; done
}

inside_kubernetes() {
	. "$ROOT/tests/e2e/examples_containers.sh"
	stage
	start_api
	mkdir "$T/egret"
	python3 - "$ROOT/examples/kubernetes/deployment.yaml" "$T" >"$T/pod" <<-'PYTHON'
		import shlex, sys, yaml
		file, here = sys.argv[1:]
		config, deployment = yaml.safe_load_all(open(file))
		open(here + "/map.ini", "w").write(config["data"]["egret.ini"])
		pod = deployment["spec"]["template"]["spec"]
		def moved(word): return here + ("/stage" if word.startswith("/usr/") else "") + word if word.startswith("/") else word
		print("init=(", shlex.join(moved(word) for word in pod["initContainers"][0]["command"]), ")")
		paths = {"/egret/libegret.so": here + "/egret/libegret.so", "/etc/egret/egret.ini": here + "/egret.ini"}
		print("container=(env", " ".join(shlex.quote(e["name"] + "=" + paths[e["value"]]) for e in pod["containers"][0]["env"]), ")")
	PYTHON
	policy_of <"$T/map.ini"
	. "$T/pod"
	# An emptyDir as the kubelet makes it; the init container runs as its image's user.
	chmod 777 "$T/egret"
	as_nobody "${init[@]}"
	holds_to_the_api "${container[@]}"
}

test_the_kubernetes_pod_has_its_library_policy_and_json_log() { # limit=180
	need_library
	need setpriv curl
	[ "$(id -u)" = 0 ] || skip "not root"
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	in_network_with_names "127.0.0.1 api.example.com" inside_kubernetes
}

inside_systemd() {
	local unit=$ROOT/examples/systemd/10-egret.conf set
	. "$ROOT/tests/e2e/examples_containers.sh"
	stage
	start_api
	mkdir "$T/log"
	chown 65534 "$T/log"
	sed "s#/var/log/billing#$T/log#" "$ROOT/examples/systemd/egret.ini" | policy_of
	expect "$unit" "AssertPathExists=$(sed -n 's/^Environment=LD_PRELOAD=//p' "$unit")"
	mapfile -t set < <(sed -n 's/^Environment=//p' "$unit" | sed "s#/usr/lib/egret#$T/stage/usr/lib/egret#; s#/etc/egret/billing.ini#$T/egret.ini#")
	LOG=$T/log/egret.log holds_to_the_api env "${set[@]}"
}

test_the_unit_with_its_drop_in_is_covered() { # limit=180
	need_library
	need setpriv curl
	[ "$(id -u)" = 0 ] || skip "not root"
	in_network_with_names "127.0.0.1 api.example.com" inside_systemd
}

test_systemd_understands_the_drop_in() { # quick
	need systemd-analyze
	mkdir -p "$T/units/billing.service.d"
	cp "$ROOT/examples/systemd/10-egret.conf" "$T/units/billing.service.d/"
	printf '[Service]\nExecStart=/bin/true\n' >"$T/units/billing.service"
	SYSTEMD_UNIT_PATH=$T/units: status systemd-analyze verify "$T/units/billing.service"
	expect_status 0
	expect_not "$T/err" 10-egret.conf
	# It does complain where there is something to complain about.
	echo "NoSuchDirective=1" >>"$T/units/billing.service.d/10-egret.conf"
	SYSTEMD_UNIT_PATH=$T/units: status systemd-analyze verify "$T/units/billing.service"
	expect "$T/err" NoSuchDirective
}
