# UNIX sockets: the machine's own are internal, those of daemons that open connections or start programs for whoever asks need an entry.

# local_sockets PATH...: someone accepts at each, and says "here".
local_sockets() {
	/usr/bin/python3 -c 'import socket, sys, threading
def serve(path):
    s = socket.socket(socket.AF_UNIX); s.bind(path.replace("@", "\0", 1)); s.listen(50)
    open(sys.argv[1], "a").write("up\n")
    while True:
        c = s.accept()[0]; c.sendall(b"here"); c.close()
for path in sys.argv[2:]: threading.Thread(target=serve, args=(path,)).start()' "$T/up" "$@" &
	wait_for 10 all_up $#
}

all_up() { [ "$(wc -l <"$T/up")" = "$1" ]; }

# ask PATH...: what each says, or the errno.
ask() {
	covered /usr/bin/python3 -c 'import errno, socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(path.replace("@", "\0", 1)); print(s.recv(9).decode())
    except OSError as e: print(errno.errorcode[e.errno])' "$@" 2>>"$T/err" | xargs
}

test_the_socket_of_a_powerful_daemon_needs_an_entry_and_others_are_internal() {
	need_library
	local abstract=@egret-test-$$/bus
	policy <<-INI
		[egret]
		log = $T/log
	INI
	: >up
	local_sockets "$T/docker.sock" "$T/own.sock" "$abstract"
	equal "$(ask "$T/docker.sock" "$T/own.sock" "$abstract")" "EACCES here EACCES"
	ln -s docker.sock "$T/harmless"
	policy <<-INI
		[egret]
		log = $T/log
		[docker]
		protocol = unix
		hosts = $T/docker.sock, $abstract
	INI
	equal "$(ask "$T/docker.sock" "$T/own.sock" "$abstract")" "here here here"
	policy <<-INI
		[egret]
		internal = none
		[own]
		protocol = unix
		hosts = $T/own.sock
	INI
	equal "$(ask "$T/docker.sock" "$T/own.sock" "$abstract")" "EACCES here EACCES"
	expect err "egret: denied unix $T/docker.sock"
}
