<?php
// fetch.php URL...: GETs each URL by PHP's own streams, prints the bodies. Ends with 3 when the network refuses.
ini_set('display_errors', 'stdout');
foreach (array_slice($argv, 1) as $url) {
	$body = file_get_contents($url, false, stream_context_create(['http' => ['timeout' => 20]]));
	if ($body === false) {
		exit(3);
	}
	echo $body;
}
