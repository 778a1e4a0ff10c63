# fetch.pl URL...: GETs each URL by HTTP::Tiny, which keeps the connection, prints the bodies. Ends with 3 when the network refuses.
use strict;
use warnings;
use HTTP::Tiny;

my $http = HTTP::Tiny->new(keep_alive => 1, timeout => 20);
for my $url (@ARGV) {
	my $answer = $http->get($url);
	if ($answer->{status} == 599) {
		print "refused: $answer->{content}";
		exit 3;
	}
	print $answer->{content};
}
