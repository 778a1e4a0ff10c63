import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Fetch url|nio COUNT URL: GETs the URL COUNT times, prints the bodies. Ends with 3 when the network refuses.
 *  url: HttpURLConnection, one after another, kept alive; nio: HttpClient, all at once. */
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

	public static void main(String[] args) {
		try {
			if (args[0].equals("url")) {
				byUrl(Integer.parseInt(args[1]), URI.create(args[2]));
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
