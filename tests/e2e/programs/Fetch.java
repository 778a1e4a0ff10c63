import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Fetch url|nio|channel COUNT URL: GETs the URL COUNT times, prints the bodies. Ends with 3 when the network refuses.
 *  url: HttpURLConnection, one after another, kept alive; nio: HttpClient, all at once; channel: a Selector over that many SocketChannels. */
class Fetch {
	static void byUrl(int count, URI url) throws IOException {
		for (int i = 0; i < count; i++) {
			HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
			connection.setConnectTimeout(20000);
			connection.setReadTimeout(20000);
			System.out.print(new String(connection.getInputStream().readAllBytes()));
		}
	}

	static void byNio(int count, URI url) {
		HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
		HttpRequest request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(40)).build();
		ArrayList<CompletableFuture<String>> answers = new ArrayList<>();
		for (int i = 0; i < count; i++) {
			answers.add(client.sendAsync(request, BodyHandlers.ofString()).thenApply(answer -> answer.body()));
		}
		answers.forEach(answer -> System.out.print(answer.join()));
	}

	/** One connection of a selector: what is still to be written, and what came. */
	static class Visit {
		final ByteBuffer request;
		final ByteArrayOutputStream answer = new ByteArrayOutputStream();

		Visit(URI url) {
			request = ByteBuffer.wrap(("GET " + url.getPath() + " HTTP/1.0\r\nHost: " + url.getHost() + "\r\n\r\n").getBytes());
		}

		/** True when the server has ended the connection. */
		boolean step(SelectionKey key) throws IOException {
			SocketChannel channel = (SocketChannel) key.channel();
			if (key.isConnectable() && channel.finishConnect()) {
				key.interestOps(SelectionKey.OP_WRITE);
			} else if (key.isWritable()) {
				channel.write(request);
				key.interestOps(request.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
			} else if (key.isReadable()) {
				ByteBuffer room = ByteBuffer.allocateDirect(4096);
				if (channel.read(room) < 0) {
					return true;
				}
				byte[] got = new byte[room.flip().remaining()];
				room.get(got);
				answer.write(got);
			}
			return false;
		}

		String body() {
			String text = answer.toString();
			return text.substring(text.indexOf("\r\n\r\n") + 4);
		}
	}

	static void byChannel(int count, URI url) throws IOException {
		InetSocketAddress address = new InetSocketAddress(InetAddress.getByName(url.getHost()), url.getPort() < 0 ? 80 : url.getPort());
		try (Selector selector = Selector.open()) {
			for (int i = 0; i < count; i++) {
				SocketChannel channel = SocketChannel.open();
				channel.configureBlocking(false);
				channel.connect(address);
				channel.register(selector, SelectionKey.OP_CONNECT, new Visit(url));
			}
			while (count > 0 && selector.select(40000) > 0) {
				for (SelectionKey key : selector.selectedKeys()) {
					Visit visit = (Visit) key.attachment();
					if (visit.step(key)) {
						System.out.print(visit.body());
						key.channel().close();
						count--;
					}
				}
				selector.selectedKeys().clear();
			}
		}
		if (count > 0) {
			throw new IOException(count + " connections were silent");
		}
	}

	public static void main(String[] args) {
		try {
			if (args[0].equals("url")) {
				byUrl(Integer.parseInt(args[1]), URI.create(args[2]));
			} else if (args[0].equals("channel")) {
				byChannel(Integer.parseInt(args[1]), URI.create(args[2]));
			} else {
				byNio(Integer.parseInt(args[1]), URI.create(args[2]));
			}
		} catch (CompletionException | IOException error) {
			Throwable cause = error;
			while (cause.getCause() != null) {
				cause = cause.getCause();
			}
			System.out.println("refused: " + cause);
			System.exit(3);
		}
	}
}
