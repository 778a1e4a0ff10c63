# A denied request as the clients of the world see it: an answer like any other, behind which the next request finds another connection.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/harness.sh"

URL=http://www.googleapis.com

# ok_denied_ok PROGRAM [ARGS]: the program prints the status of /ok/1, /no and /ok/2, asked for over one pool of connections.
ok_denied_ok() {
	covered timeout 50 "$@" >"$T/out" 2>"$T/err" || fail "$(cat "$T/out" "$T/err")"
	equal "$(tr '\n' ' ' <"$T/out")" "200 403 200 "
	equal "$(cat "$T/asked")" "GET /ok/1 0
GET /ok/2 0"
	: >"$T/asked"
}

# with_both FUNCTION: over TLS and in the clear.
with_both() {
	local how
	need_library
	for how in tls plain; do
		start_http $how
		governing $how
		"$1"
	done
}

through_http_client() {
	ok_denied_ok python3 -c '
import http.client
c = http.client.HTTPConnection("www.googleapis.com", timeout=20)
for path in "/ok/1", "/no", "/ok/2":
    c.request("GET", path)
    r = c.getresponse()
    print(r.status)
    assert (b"denies this request" in r.read()) == (r.status == 403)'
}

test_pythons_http_client_reads_the_refusal_and_goes_on() {
	with_both through_http_client
}

through_asyncio() {
	ok_denied_ok python3 -c '
import asyncio
async def ask(path):
    reader, writer = await asyncio.open_connection("www.googleapis.com", 80)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: www.googleapis.com\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer.split()[1].decode()
async def main():
    for path in "/ok/1", "/no", "/ok/2":
        print(await ask(path))
asyncio.run(main())'
}

test_asyncio_reads_the_refusal_and_goes_on() {
	with_both through_asyncio
}

through_aiohttp() {
	ok_denied_ok /usr/bin/python3 -c '
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession() as session:
        for path in "/ok/1", "/no", "/ok/2":
            async with session.get("http://www.googleapis.com" + path) as r:
                print(r.status)
                assert ("denies this request" in await r.text()) == (r.status == 403)
asyncio.run(main())'
}

test_aiohttp_reads_the_refusal_and_goes_on() {
	/usr/bin/python3 -c 'import aiohttp' 2>/dev/null || skip "aiohttp is not installed"
	with_both through_aiohttp
}

through_node() {
	ok_denied_ok node -e '
const http = require("http"), agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ask = path => new Promise((done, failed) => http.get({ host: "www.googleapis.com", path, agent, timeout: 20000 }, r => {
	let body = ""; r.on("data", d => body += d); r.on("end", () => { console.log(r.statusCode); done(body); }); r.on("error", failed); }).on("error", failed));
(async () => { for (const path of ["/ok/1", "/no", "/ok/2"]) await ask(path); agent.destroy(); })();'
}

test_nodes_keep_alive_agent_reads_the_refusal_and_goes_on() {
	need node
	with_both through_node
}

through_java() {
	cat >"$T/Ask.java" <<-'JAVA'
		import java.io.*; import java.net.*; import java.net.http.*; import java.net.http.HttpResponse.BodyHandlers;
		public class Ask {
			public static void main(String[] args) throws Exception {
				String base = "http://www.googleapis.com";
				HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
				for (String path : new String[] { "/ok/1", "/no", "/ok/2" }) {
					if (args[0].equals("nio")) {
						System.out.println(client.send(HttpRequest.newBuilder(URI.create(base + path)).build(), BodyHandlers.ofString()).statusCode());
						continue;
					}
					HttpURLConnection c = (HttpURLConnection) new URL(base + path).openConnection();
					System.out.println(c.getResponseCode());
					InputStream in = c.getResponseCode() < 400 ? c.getInputStream() : c.getErrorStream();
					in.readAllBytes();
				}
			}
		}
	JAVA
	ok_denied_ok java -Xint "$T/Ask.java" nio
	ok_denied_ok java -Xint "$T/Ask.java" url
}

test_javas_clients_read_the_refusal_and_go_on() { # limit=180
	need java
	with_both through_java
}

through_an_upload() {
	head -c 20000000 /dev/zero >"$T/body"
	status covered curl -sS --max-time 20 -H Expect: -w '%{http_code}' --data-binary "@$T/body" "$URL/no"
	expect "$T/out" 403
	expect "$T/out" "denies this request"
	equal "$(cat "$T/asked")" ""
}

test_a_denied_upload_is_swallowed_and_answered() {
	with_both through_an_upload
}
