# Web servers of the world as the far end of an http entry. Sourced by harness.sh.
#
# Each has $T/www/ok: small, big (3 MB), text (compressible), folder/; what stands below /ok/up is asked of http_server.py behind it.

web_files() {
	mkdir -p "$T/www/ok/folder" "$T/web"
	printf 'small' >"$T/www/ok/small"
	head -c 3000000 /dev/zero | tr '\0' b >"$T/www/ok/big"
	seq 20000 >"$T/www/ok/text.txt"
	chmod -R a+rX "$T/www"
	chmod a+x "$T" "$(dirname "$T")" # apache's user is not the test's
	start_http plain
	UPSTREAM=$PORT
}

# start_web nginx|apache|lighttpd: over TLS, on $PORT.
start_web() {
	certificates
	web_files
	free_port
	"web_$1"
	wait_for 20 listening "$PORT"
}

web_nginx() {
	need nginx
	NGINX_LISTEN='' start_nginx_tls right "
		root $T/www; gzip on; gzip_min_length 1000; keepalive_requests 100000; client_max_body_size 4m;
		location /ok/ { }
		location /ok/up/ { proxy_pass http://127.0.0.1:$UPSTREAM; proxy_http_version 1.1; }"
}

# web_apache [EXTRA lines]
web_apache() {
	local modules=/usr/lib/apache2/modules name
	[ -x /usr/sbin/apache2 ] || skip "apache2 is not installed"
	{
		for name in mpm_event authz_core ssl mime dir filter deflate headers proxy proxy_http; do
			echo "LoadModule ${name}_module $modules/mod_$name.so"
		done
		cat <<-CONF
			ServerName www.googleapis.com
			ServerRoot $T/web
			TypesConfig /dev/null
			PidFile $T/web/pid
			DefaultRuntimeDir $T/web
			ErrorLog $T/web/error
			Mutex pthread
			Listen 127.0.0.1:$PORT
			StartServers 1
			ServerLimit 2
			ThreadsPerChild 16
			MaxRequestWorkers 32
			MaxKeepAliveRequests 0
			LimitRequestBody 4000000
			SSLEngine on
			SSLCertificateFile $CERTS/right.pem
			SSLCertificateKeyFile $CERTS/right.key
			DocumentRoot $T/www
			AddType text/plain .txt
			AddOutputFilterByType DEFLATE text/plain
			ProxyPass /ok/up/ http://127.0.0.1:$UPSTREAM/ok/up/
			${1:-}
		CONF
		[ "$(id -u)" != 0 ] || printf 'User www-data\nGroup www-data\n'
	} >"$T/web/conf"
	/usr/sbin/apache2 -X -f "$T/web/conf" >"$T/web/out" 2>&1 &
}

web_lighttpd() {
	[ -x /usr/sbin/lighttpd ] || skip "lighttpd is not installed"
	cat >"$T/web/conf" <<-CONF
		server.modules = ("mod_openssl", "mod_deflate", "mod_proxy")
		server.port = $PORT
		server.bind = "127.0.0.1"
		server.document-root = "$T/www"
		server.errorlog = "$T/web/error"
		server.max-keep-alive-requests = 100000
		server.max-request-size = 4000
		mimetype.assign = (".txt" => "text/plain")
		deflate.mimetypes = ("text/plain")
		deflate.allowed-encodings = ("gzip")
		ssl.engine = "enable"
		ssl.pemfile = "$CERTS/right.pem"
		ssl.privkey = "$CERTS/right.key"
		\$HTTP["url"] =^ "/ok/up/" { proxy.server = ("" => (("host" => "127.0.0.1", "port" => $UPSTREAM))) }
	CONF
	/usr/sbin/lighttpd -D -f "$T/web/conf" >"$T/web/out" 2>&1 &
}
