#!/usr/bin/env ruby
# A web service of two routes that fetches its book details from an external one, in plain HTTP: it knows nothing of TLS or egret.
# usage: details.rb PORT BOOKS_URL (such as http://www.googleapis.com:443/books/v1/volumes)
require 'json'
require 'net/http'
require 'socket'

def details(books, isbn)
  uri = URI("#{books}?q=isbn:#{isbn}")
  answer = Net::HTTP.start(uri.host, uri.port, open_timeout: 10, read_timeout: 10) { |http| http.get(uri.request_uri) }
  answer.is_a?(Net::HTTPSuccess) ? [200, answer.body] : [502, JSON.generate(error: "the book service said #{answer.code}")]
rescue StandardError => e
  [502, JSON.generate(error: "Error fetching product details: #{e.class}: #{e.message}")]
end

server = TCPServer.new('127.0.0.1', Integer(ARGV[0]))
loop do
  client = server.accept
  path = client.gets.to_s.split[1].to_s
  nil until client.gets.to_s.strip.empty?
  status, body = path.start_with?('/details/') ? details(ARGV[1], path.delete_prefix('/details/')) : [200, '{"status":"healthy"}']
  client.write "HTTP/1.1 #{status} -\r\nContent-Type: application/json\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
  client.close
end
