// seeing.mjs PORTFILE SEEN [CERT KEY]: writes down every request whose handler runs, a line of JSON each: method, target, host.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [portfile, seen, cert, key] = process.argv.slice(2);
const handle = (request, response) => {
	fs.appendFileSync(seen, JSON.stringify([request.method, request.url, request.headers.host]) + '\n');
	request.resume().on('end', () => response.end('hello'));
};
const server = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, handle) : http.createServer(handle);
server.listen(0, '127.0.0.1', () => fs.writeFileSync(portfile, String(server.address().port)));
