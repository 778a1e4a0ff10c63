# The examples for runners and containers: each is loaded and checked, what can run here runs.

# Listens where packages.example.com shall be found, and says nothing.
start_packages() {
	python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 443))
open(sys.argv[1], "w").write("443")
while True: s.accept()' "$T/packages.port" &
	announced "$T/packages.port"
}

# A job that reaches an allowed host, then one that tries another: SCRIPT gets its commands in $COMMANDS.
job_holds() {
	local script=$1
	start_packages
	export PATH=$EGRET_BUILD/bin:$PATH
	export COMMANDS='exec 3<>/dev/tcp/packages.example.com/443 && echo reached'
	status bash -c "$script"
	expect_status 0
	expect "$T/out" reached
	expect "$T/err" packages.example.com
	export COMMANDS='(exec 3<>/dev/tcp/203.0.113.9/443) || true'
	status bash -c "$script"
	expect_status 1
	expect "$T/err" "203.0.113.9:443"
}

export -f start_packages job_holds

inside_github() {
	cd "$ROOT/examples/github-actions"
	export POLICY=egret.ini SANDBOX=require RUNNER_TEMP=$T GITHUB_STEP_SUMMARY=$T/summary
	job_holds "$(python3 -c 'import yaml; print(yaml.safe_load(open("action.yml"))["runs"]["steps"][1]["run"])')"
	expect "$T/summary" "203.0.113.9"
	expect "$T/egret.log" "packages.example.com"
}

test_the_composite_action_fails_the_step_and_fills_the_summary_when_something_is_refused() { # limit=180
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	in_network_with_names "127.0.0.1 packages.example.com" inside_github
}

inside_gitlab() {
	cp -r "$ROOT/examples/gitlab" "$T/clone"
	cd "$T/clone"
	export CI_PROJECT_DIR=$T
	# As the runner's helper clones.
	chmod a+rw *
	job_holds "set -eo pipefail
$(python3 -c 'import yaml
pipeline = yaml.safe_load(open("gitlab-ci.yml"))
print("\n".join(pipeline[pipeline["build"]["extends"]]["before_script"] + pipeline["build"]["script"]))')"
}

test_the_gitlab_job_fails_when_something_is_refused() {
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	in_network_with_names "127.0.0.1 packages.example.com" inside_gitlab
}

inside_jenkins() {
	cd "$ROOT/examples/jenkins"
	export WORKSPACE=$T
	job_holds "$(sed -n "s/^ *sh '\(.*\)'$/\1/p" Jenkinsfile)"
}

test_the_jenkins_stage_fails_when_something_is_refused() {
	in_network_with_names "127.0.0.1 packages.example.com" inside_jenkins
}

inside_make() {
	cd "$ROOT/examples/make"
	start_packages
	status make -s EGRET="$EGRET" SANDBOX=require TESTS="bash -c 'exec 3<>/dev/tcp/packages.example.com/443'" test
	expect_status 0
	status make -s EGRET="$EGRET" SANDBOX=require TESTS="bash -c '(exec 3<>/dev/tcp/203.0.113.9/443) || true'" test
	expect_status 2
}

test_the_makefile_fails_when_something_is_refused() {
	need make
	in_network_with_names "127.0.0.1 packages.example.com" inside_make
}

test_every_policy_of_the_examples_passes_egret_check() { # quick
	local policy
	for policy in "$ROOT"/examples/*/egret.ini; do
		cp "$policy" "$T/copy.ini"
		chmod 644 "$T/copy.ini"
		status "$EGRET" check -c "$T/copy.ini"
		expect_status 0
	done
}

# What the containers and the unit say of paths and variables is what an installed tree has.
test_the_container_examples_name_what_is_installed() { # quick
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	python3 - "$ROOT/examples" "$T/map.ini" <<-'PYTHON'
		import json, re, sys, yaml
		root, out = sys.argv[1:]
		config, deployment = yaml.safe_load_all(open(f"{root}/kubernetes/deployment.yaml"))
		open(out, "w").write(config["data"]["egret.ini"])
		pod = deployment["spec"]["template"]["spec"]
		main = pod["containers"][0]
		mounts = {m["name"]: m["mountPath"] for m in main["volumeMounts"]}
		env = {e["name"]: e["value"] for e in main["env"]}
		assert env["LD_PRELOAD"] == mounts["egret"] + "/libegret.so"
		assert env["EGRET_CONFIG"] == mounts["policy"] + "/egret.ini"
		assert {v["name"] for v in pod["volumes"]} == set(mounts)
		assert all(w.startswith("/usr/lib/egret/") for w in pod["initContainers"][0]["command"][1:-1])
		app = yaml.safe_load(open(f"{root}/docker/compose.yaml"))["services"]["app"]
		dockerfile = open(f"{root}/docker/Dockerfile").read()
		entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", dockerfile, re.M)[1])
		assert entry[:2] == app["entrypoint"][:2] == ["egret", "run"] and "--sandbox=require" in app["entrypoint"]
		stages = re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.M)
		assert all(s in stages for s in re.findall(r"--from=(\S+)", dockerfile))
		unit = open(f"{root}/systemd/10-egret.conf").read()
		assert "LD_PRELOAD=/usr/lib/egret/libegret.so" in unit and "EGRET_CONFIG=" in unit
		workflow = yaml.safe_load(open(f"{root}/github-actions/workflow.yml"))
		action = yaml.safe_load(open(f"{root}/github-actions/action.yml"))
		used = [s["with"] for s in workflow["jobs"]["build"]["steps"] if "actions/egret" in s["uses"]][0]
		assert set(used) <= set(action["inputs"])
		assert "inputs." not in action["runs"]["steps"][1]["run"]
	PYTHON
	chmod 644 "$T/map.ini"
	status "$EGRET" check -c "$T/map.ini"
	expect_status 0
	status make -s -n -C "$ROOT" PREFIX=/usr DESTDIR="$T/stage" install
	expect "$T/out" "/usr/lib"
}
