"""make_log.py LINES: a log as egret writes it, for `egret report`: requests, connections, handshakes, denials, a broken line in a thousand."""
import random
import sys

PROGRAMS = ["/usr/bin/curl", "/usr/bin/python3.11", "/opt/app/bin/worker", "/usr/bin/git"]
random.seed(1)


def common(event, i):
    return (f'{{"time":"2026-11-25T02:{i // 60000 % 60:02}:{i // 1000 % 60:02}.{i % 1000:03}000Z","event":"{event}","pid":{1000 + i % 500},'
            f'"exe":"{random.choice(PROGRAMS)}","layer":"preload",')


def line(i):
    host = f"host{int(random.expovariate(0.02))}.example"
    kind = random.random()
    if i % 1000 == 999:
        return "cut off in the middl"
    if kind < 0.6:
        method, path = random.choice(["GET", "GET", "POST"]), f"/v1/{random.choice(['books', 'users', 'orders'])}/{random.randrange(100000)}?q=1"
        denied = random.random() < 0.02
        return common("http", i) + (
            f'"verdict":"{"deny" if denied else "allow"}","entry":"api","file":"/etc/egret/egret.ini","line":12,"reason":"{"http_no_rule" if denied else "entry"}",'
            f'"protocol":"HTTP/1.1","host":"{host}","port":80,"address":"192.0.2.7:443","method":"{method}","path":"{path}","status":{403 if denied else 200},'
            f'"bytes_received":{random.randrange(900)},"bytes_sent":{random.randrange(90000)},"duration_ms":{random.random() * 100:.3f},"upstream_ms":3.100,'
            f'"user_agent":"curl/7.88.1","request_id":"{random.randrange(1 << 60):x}","authority":"{host}","upstream":"192.0.2.7:443"}}')
    if kind < 0.75:
        return common("tls", i) + (
            f'"entry":"api","protocol":"http","host":"{host}","port":80,"address":"192.0.2.7:443","version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384",'
            f'"resumed":{random.choice(["true", "false"])},"handshake_ms":12.100,"peer":"CN={host}","not_after":"2036-11-22T02:05:40Z"}}')
    if kind < 0.85:
        return common("close", i) + (f'"entry":"api","protocol":"http","host":"{host}","port":80,"address":"192.0.2.7:443","bytes_received":{random.randrange(9000)},'
                                     f'"bytes_sent":{random.randrange(9000)},"duration_ms":50.100}}')
    if kind < 0.98:
        return common("connect", i) + (f'"verdict":"allow","entry":"api","file":"/etc/egret/egret.ini","line":12,"reason":"entry","protocol":"http","host":"{host}",'
                                       f'"port":80,"address":"192.0.2.7:443"}}')
    return common("connect", i) + f'"verdict":"deny","reason":"no_entry","protocol":"tcp","host":"evil{random.randrange(20)}.example","port":443,"address":"203.0.113.9:443"}}'


for i in range(int(sys.argv[1])):
    print(line(i))
