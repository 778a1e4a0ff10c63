"""The contenders: each is a way from the same client program to the same server.

A way answers: which client, which arguments, which environment, which port; and which process works beside the client, so that its CPU
time can be counted.
"""
import os

from .world import Service, free_port


class Way:
    name = ""
    helper = None  # the proxy's Service

    def argv(self, world):
        return [world.program("client")]

    def environment(self):
        return {}

    def port(self):
        raise NotImplementedError


class Plain(Way):
    name = "plain TCP"

    def __init__(self, world, server, resume):
        self.server = server

    def port(self):
        return self.server.plain


class Native(Way):
    name = "native OpenSSL"

    def __init__(self, world, server, resume):
        self.server, self.resume = server, resume

    def argv(self, world):
        return [world.program("client-native"), "--ca-file", f"{world.certs}/ca.pem"] + (["--resume"] if self.resume else [])

    def port(self):
        return self.server.tls


class Egret(Way):
    name = "egret"

    def __init__(self, world, server, resume):
        self.asked, self.library = free_port(), world.library
        cache = "on" if resume else "off"
        self.policy = world.write(f"{type(self).__name__}-{server.name}-{cache}.ini", f"""[egret]
internal = none
log = none
[server]
hosts = 127.0.0.1
ports = {self.asked}
connect_port = {server.tls}
tls = originate
tls_server_name = localhost
tls_ca_path = {world.certs}/hash
tls_session_cache = {cache}
""")

    def environment(self):
        return {"LD_PRELOAD": self.library, "EGRET_CONFIG": self.policy}

    def port(self):
        return self.asked


class Relay(Egret):
    """A static program, which the library cannot cover: the sandbox's supervisor leads its connection to egret's own relay."""
    name = "egret, sandbox's relay"

    def argv(self, world):
        return [world.command, "run", "--sandbox=require", "-c", self.policy, "--", world.program("client-static")]

    def environment(self):
        return {}


class Proxy(Way):
    def __init__(self, world, server, resume):
        self.listen = free_port()
        name = f"{self.name}-{server.name}-{'resume' if resume else 'full'}"
        self.helper = Service(world, name, self.start(world, server, resume, name))
        self.helper.await_port(self.listen)

    def port(self):
        return self.listen


class Stunnel(Proxy):
    name = "stunnel"

    def start(self, world, server, resume, name):
        conf = world.write(name + ".conf", f"""foreground = yes
pid =
syslog = no
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[t]
client = yes
accept = 127.0.0.1:{self.listen}
connect = 127.0.0.1:{server.tls}
CAfile = {world.certs}/ca.pem
verifyChain = yes
checkHost = localhost
sni = localhost
sessionResume = {'yes' if resume else 'no'}
""")
        return ["stunnel4", conf]


class Haproxy(Proxy):
    name = "HAProxy"

    def start(self, world, server, resume, name):
        conf = world.write(name + ".conf", f"""global
    nbthread 2
    maxconn 4000
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
listen t
    bind 127.0.0.1:{self.listen}
    server s 127.0.0.1:{server.tls} ssl verify required ca-file {world.certs}/ca.pem verifyhost localhost sni str(localhost){'' if resume else ' no-ssl-reuse'}
""")
        return ["/usr/sbin/haproxy", "-db", "-f", conf]


class Nginx(Proxy):
    name = "nginx"

    def start(self, world, server, resume, name):
        conf = world.write(name + ".conf", f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile 12000;
pid {world.dir}/{name}.pid;
error_log {world.dir}/{name}.error warn;
events {{ worker_connections 4000; }}
stream {{
    server {{
        listen 127.0.0.1:{self.listen};
        tcp_nodelay on;
        proxy_pass 127.0.0.1:{server.tls};
        proxy_buffer_size 64k;
        proxy_ssl on;
        proxy_ssl_verify on;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        proxy_ssl_trusted_certificate {world.certs}/ca.pem;
        proxy_ssl_name localhost;
        proxy_ssl_server_name on;
        proxy_ssl_session_reuse {'on' if resume else 'off'};
    }}
}}
""")
        return ["/usr/sbin/nginx", "-e", f"{world.dir}/{name}.error", "-c", conf]


PEERS = [Stunnel, Haproxy, Nginx]
ALL = [Native, Egret] + PEERS + [Plain]


def way(world, kind, server, resume=True):
    key = (kind.name, server.name, resume)
    if key not in world.ways:
        world.ways[key] = kind(world, server, resume)
    return world.ways[key]
