# details.rb PORTFILE http://HOST[:PORT]: a small web service. GET /details/ISBN asks HOST for the book, in plaintext, and tells its title as
# JSON; when it cannot, it answers 503 with the error as Ruby saw it.
require 'json'
require 'net/http'
require 'socket'

books = URI(ARGV[1])
listener = TCPServer.new('127.0.0.1', 0)
File.write(ARGV[0] + '.new', listener.addr[1])
File.rename(ARGV[0] + '.new', ARGV[0])

def details(books, isbn)
  answer = Net::HTTP.start(books.host, books.port, open_timeout: 20, read_timeout: 20) do |http|
    http.get("/books/v1/volumes?q=isbn:#{isbn}", 'User-Agent' => 'Ruby')
  end
  raise "#{answer.code} #{answer.message}" unless answer.is_a?(Net::HTTPOK)

  ['200 OK', { title: JSON.parse(answer.body)['items'][0]['volumeInfo']['title'] }]
rescue StandardError => error
  ['503 Service Unavailable', { error: "#{error.class}: #{error.message}" }]
end

loop do
  Thread.new(listener.accept) do |client|
    isbn = client.gets.to_s[%r{\AGET /details/(\d+) }, 1]
    line = client.gets until line == "\r\n"
    status, body = details(books, isbn)
    text = JSON.generate(body)
    client.write "HTTP/1.1 #{status}\r\nContent-Type: application/json\r\nContent-Length: #{text.size}\r\nConnection: close\r\n\r\n#{text}"
    client.close
  end
end
