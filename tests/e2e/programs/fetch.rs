// fetch HOST PORT COUNT: COUNT threads GET /secret by std::net, each prints what it read. Ends with 3 when the network refuses.
use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

fn fetch(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port))?;
    write!(stream, "GET /secret HTTP/1.0\r\nHost: {}\r\n\r\n", host)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let port: u16 = args[2].parse().unwrap();
    let count: usize = args[3].parse().unwrap();
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let host = args[1].clone();
            thread::spawn(move || fetch(&host, port))
        })
        .collect();
    for one in threads {
        match one.join().unwrap() {
            Ok(answer) => println!("{}", answer),
            Err(error) => {
                println!("refused: {:?} {}", error.kind(), error);
                std::process::exit(3);
            }
        }
    }
}
