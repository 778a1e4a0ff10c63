# Names as a real resolver gives them: chains, search domains, several names on one address, rotation, rebinding. Everything in a network
# and with a resolv.conf of the test's own.

# resolver [LINES of dnsmasq.conf]: a resolver on 127.0.0.53.
resolver() {
	need dnsmasq
	printf '%s\n' no-resolv no-hosts no-daemon bind-interfaces listen-address=127.0.0.53 port=53 user=root cache-size=0 local-ttl=0 "$@" >dnsmasq.conf
	dnsmasq --conf-file="$T/dnsmasq.conf" --pid-file="$T/dnsmasq.pid" >dnsmasq.log 2>&1 &
	wait_for 10 resolver_answers
}

resolver_answers() { grep -q 'started' dnsmasq.log; }

# reach HOST:PORT...: connects by name as most programs do; prints the address, or the error's name.
reach() {
	local to
	for to; do
		LD_PRELOAD=$EGRET_LIB python3 - "$to" 2>>said <<-'PY' || true
			import errno, socket, sys
			host, _, port = sys.argv[1].rpartition(":")
			try:
			    with socket.create_connection((host, int(port)), 10) as s:
			        print(s.getpeername()[0])
			except socket.gaierror as e:
			    print("no name")
			except OSError as e:
			    print("open" if e.errno == errno.ECONNREFUSED else errno.errorcode[e.errno])
		PY
	done
}

allowing() {
	policy <<-INI
		[egret]
		internal = none
		[named]
		hosts = $1
		ports = 80
	INI
}

chains() {
	resolver cname=alias.example,middle.example cname=middle.example,target.example \
		host-record=target.example,203.0.113.9
	allowing alias.example
	equal "$(reach alias.example:80)" open
	# The name asked for decides: the end of the chain is another name.
	equal "$(reach target.example:80)" "no name"
	equal "$(reach alias.example:81)" EACCES
}

test_the_name_that_was_asked_for_decides_not_the_end_of_its_cname_chain() { # quick
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" chains
}

search_domains() {
	printf 'nameserver 127.0.0.53\nsearch corp.example\n' >"$(readlink -f /etc/resolv.conf)"
	resolver host-record=web.corp.example,203.0.113.9
	allowing web.corp.example
	equal "$(reach web.corp.example:80)" open
	equal "$(reach web:80)" "no name" # the name is judged as it was asked
	allowing web
	equal "$(reach web.corp.example:80)" "no name"
}

test_search_domains_do_not_open_a_name_that_no_entry_covers() { # quick
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" search_domains
}

shared_address() {
	resolver host-record=good.example,203.0.113.9 host-record=bad.example,203.0.113.9
	allowing good.example
	equal "$(reach good.example:80)" open
	equal "$(reach bad.example:80)" "no name"
	# In one process, after the allowed name: the latest name of the address decides, and a denied name got none.
	equal "$(covered python3 -c '
import socket
def go(n):
    try: socket.create_connection((n, 80), 5)
    except ConnectionRefusedError: return "open"
    except OSError as e: return type(e).__name__
print(go("good.example"), go("bad.example"), go("good.example"))' 2>>said)" "open gaierror open"
}

test_two_names_on_one_address_are_told_apart() { # quick
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" shared_address
}

threads() {
	resolver host-record=one.example,203.0.113.9 host-record=two.example,203.0.113.9
	allowing "one.example, two.example"
	EGRET_LOG=$T/log EGRET_LOG_FORMAT=json covered python3 -c '
import socket, threading
asked = threading.Barrier(2)
def go(name):
    to = socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    asked.wait()
    for _ in range(2):
        socket.socket().connect_ex(to)
all = [threading.Thread(target=go, args=(n,)) for n in ("one.example", "two.example")]
[t.start() for t in all]; [t.join() for t in all]' 2>>said
	equal "$(jq -r 'select(.event == "connect").host' "$T/log" | sort | xargs)" "one.example one.example two.example two.example"
}

test_each_thread_connects_under_the_name_that_it_asked_for() { # quick
	need jq
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" threads
}

rotation() {
	printf '198.51.100.%s many.example\n' 1 2 3 4 5 6 >hosts.many
	resolver "addn-hosts=$T/hosts.many"
	allowing many.example
	equal "$(covered python3 -c '
import socket
seen = set()
for i in range(40):
    for info in socket.getaddrinfo("many.example", 80, type=socket.SOCK_STREAM):
        s = socket.socket(info[0], info[1])
        try: s.connect(info[4])
        except ConnectionRefusedError: seen.add("open")
        except OSError as e: seen.add(type(e).__name__)
        s.close()
print(sorted(seen))' 2>>said)" "['open']"
}

test_every_address_of_a_rotating_answer_carries_its_name() { # quick
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" rotation
}

rebinding() {
	resolver host-record=a.wild.example,127.0.0.1 host-record=b.wild.example,10.0.0.1 host-record=c.wild.example,203.0.113.9 \
		host-record=meta.example,169.254.169.254 host-record=exact.example,127.0.0.1
	ip addr add 169.254.169.254/32 dev lo
	ip addr add 10.0.0.1/32 dev lo
	allowing '*.wild.example, meta.example, exact.example'
	equal "$(reach a.wild.example:80 b.wild.example:80 c.wild.example:80 meta.example:80 exact.example:80 | xargs)" "EACCES EACCES open EACCES open"
	expect said "loopback or private"
	expect said "metadata"
}

test_an_answer_cannot_carry_an_allowed_name_to_the_inside() { # quick
	need_library
	export -f resolver resolver_answers reach allowing
	in_network_with_names "192.0.2.1 unused.example" rebinding
}
