# fetch.rb URL...: GETs each URL over one connection of Net::HTTP, prints the bodies. Ends with 3 when the network refuses.
require 'net/http'

urls = ARGV.map { |text| URI(text) }
begin
  Net::HTTP.start(urls[0].host, urls[0].port, open_timeout: 20, read_timeout: 20) do |http|
    urls.each { |url| print http.get(url.request_uri).body }
  end
rescue Errno::EACCES
  puts 'refused: Errno::EACCES'
  exit 3
rescue SocketError => error
  puts "refused: SocketError: #{error.message}"
  exit 3
end
