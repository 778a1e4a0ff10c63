// resolve.mjs URL: asks the DNS by c-ares, connects to the address that it told, GETs the URL. Ends with 3 when the network refuses.
import dns from 'node:dns/promises';
import net from 'node:net';

const url = new URL(process.argv[2]);
try {
	const [address] = await dns.resolve4(url.hostname);
	const socket = net.connect(Number(url.port || 80), address, () => {
		socket.end(`GET ${url.pathname} HTTP/1.0\r\nHost: ${url.host}\r\n\r\n`);
	});
	for await (const part of socket) {
		process.stdout.write(part);
	}
} catch (error) {
	console.log('refused:', error.code);
	process.exitCode = 3;
}
