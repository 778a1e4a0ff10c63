// fetch.mjs agent|fetch COUNT URL: GETs the URL COUNT times at once, prints the bodies. Ends with 3 when the network refuses.
// agent: http.Agent that keeps connections alive; fetch: the global fetch (undici).
import http from 'node:http';

const [way, count, url] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });

function byAgent() {
	return new Promise((resolve, reject) => {
		http.get(url, { agent, timeout: 40000 }, (answer) => {
			let body = '';
			answer.setEncoding('utf8');
			answer.on('data', (part) => (body += part));
			answer.on('end', () => resolve(body));
			answer.on('error', reject);
		}).on('error', reject);
	});
}

async function byFetch() {
	return (await fetch(url)).text();
}

try {
	const one = way === 'agent' ? byAgent : byFetch;
	// Twice over the same agent, so that connections are used again.
	for (const part of [Math.ceil(count / 2), Math.floor(count / 2)]) {
		const bodies = await Promise.all(Array.from({ length: part }, one));
		process.stdout.write(bodies.join(''));
	}
	agent.destroy();
} catch (error) {
	console.log('refused:', (error.cause ?? error).code);
	process.exitCode = 3;
}
