# What libegret.so needs is loaded into every program. OpenSSL waits in the engine, which needs the libc alone too: its OpenSSL is inside.
. tests/lib/gates.sh
for library in libegret.so libegret-tls.so; do
	readelf -d "$BUILD/lib/egret/$library" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -vxE 'libc\.so\.6|ld-linux.*\.so\.[0-9]+' | sed "s/^/$library: /"
done | none "libraries beside the libc"
