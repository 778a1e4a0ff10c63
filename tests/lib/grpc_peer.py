"""gRPC in bytes, without a schema. Server: grpc_peer.py serve PORT-FILE [CERT KEY]: /t.Echo/Say answers in capitals, /t.Echo/Count streams as
many answers as it is told. Client: grpc_peer.py ask HOST:PORT [CALLS]: in plaintext, as channels are that are called insecure."""
import concurrent.futures
import os
import sys

os.environ["GRPC_DNS_RESOLVER"] = "native"  # getaddrinfo
import grpc  # noqa: E402

UNARY, STREAM = "/t.Echo/Say", "/t.Echo/Count"


class Echo(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method == UNARY:
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request.upper())
        if call.method == STREAM:
            return grpc.unary_stream_rpc_method_handler(lambda request, _: (b"x" * 10000 for _ in range(int(request))))
        return None


def serve(port_file, *pair):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Echo()])
    if pair:
        cert, key = (open(name, "rb").read() for name in pair)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open(port_file + ".new", "w") as f:
        f.write(str(port))
    os.rename(port_file + ".new", port_file)
    server.wait_for_termination()


def ask(target, calls="1"):
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        say, count = channel.unary_unary(UNARY), channel.unary_stream(STREAM)
        try:
            for _ in range(int(calls)):
                print(say(b"secret " * 3, timeout=20).decode(), sum(len(part) for part in count(b"30", timeout=20)))
        except grpc.RpcError as error:
            print(error.code().name, error.details(), file=sys.stderr)
            sys.exit(3)



{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
