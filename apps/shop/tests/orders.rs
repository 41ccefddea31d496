//! Orders over loopback in a network namespace of the story's own.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_sandbox::{alone, eventually, shell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn with_shop(story: impl FnOnce(&mut Child)) {
    alone(|| {
        shell("mkdir /mnt/shop");
        let mut shop = Command::new(env!("CARGO_BIN_EXE_phalanx-shop"))
            .args(["--data", "/mnt/shop", "--listen", "127.0.0.1:80"])
            .envs([("PHALANX_EPOCH", "262144"), ("PHALANX_NODE", "ada")])
            .spawn()
            .unwrap();
        eventually("it listens", || TcpStream::connect("127.0.0.1:80").is_ok());
        story(&mut shop);
        shop.kill().and_then(|()| shop.wait()).unwrap();
    });
}

/// The body of the answer.
fn ask(stream: &TcpStream, request: &str) -> String {
    (&*stream).write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn orders_are_written_before_they_are_confirmed() {
    with_shop(|_| {
        let stream = TcpStream::connect("127.0.0.1:80").unwrap();
        for id in ["a1", "a2", "a3"] {
            assert_eq!(
                ask(&stream, &format!("GET /?n={id} HTTP/1.1\r\n\r\n")),
                format!("ok {id} 262144 ada\n")
            );
            let ledger = std::fs::read_to_string("/mnt/shop/ledger.log").unwrap();
            let last = format!("{{\"id\":\"{id}\",\"epoch\":\"262144\",\"node\":\"ada\",\"time\":");
            assert!(ledger.lines().last().unwrap().starts_with(&last), "{ledger}");
        }
        let posted = ask(&stream, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nn=a4");
        assert_eq!(posted, "ok a4 262144 ada\n");
        assert_eq!(ask(&stream, "GET /health HTTP/1.1\r\n\r\n"), "well 262144 ada\n");
        assert_eq!(ask(&stream, "GET / HTTP/1.1\r\n\r\n"), "phalanx shop, 262144 ada, 4 orders\n");
        assert_eq!(ask(&stream, "GET /else HTTP/1.1\r\n\r\n"), "there is only / and /health\n");
        assert_eq!(ask(&stream, "PUT / HTTP/1.1\r\n\r\n"), "use GET or POST\n");
    });
}

#[test]
fn many_at_once_are_served_and_no_line_is_torn() {
    with_shop(|_| {
        let since = Instant::now();
        std::thread::scope(|scope| {
            for client in 0..20 {
                scope.spawn(move || {
                    let stream = TcpStream::connect("127.0.0.1:80").unwrap();
                    for n in 0..50 {
                        let answer = ask(&stream, &format!("GET /?n={client}-{n} HTTP/1.1\r\n\r\n"));
                        assert_eq!(answer, format!("ok {client}-{n} 262144 ada\n"));
                    }
                });
            }
        });
        assert!(since.elapsed() < Duration::from_secs(60));
        let ledger = std::fs::read_to_string("/mnt/shop/ledger.log").unwrap();
        assert_eq!(ledger.lines().count(), 1_000);
        assert!(ledger.lines().all(|line| line.starts_with("{\"id\":\"") && line.ends_with('}')));
    });
}

#[test]
fn what_cannot_be_written_is_not_confirmed() {
    alone(|| {
        shell(
            "mkdir /mnt/full && mount -t tmpfs -o size=8k full /mnt/full && fallocate -l 4096 /mnt/full/filler",
        );
        let mut shop = Command::new(env!("CARGO_BIN_EXE_phalanx-shop"))
            .args(["--data", "/mnt/full", "--listen", "127.0.0.1:80"])
            .spawn()
            .unwrap();
        eventually("it listens", || TcpStream::connect("127.0.0.1:80").is_ok());
        let stream = TcpStream::connect("127.0.0.1:80").unwrap();
        let answers = (0..200).map(|n| ask(&stream, &format!("GET /?n={n} HTTP/1.1\r\n\r\n")));
        let answers: Vec<String> = answers.collect();
        let confirmed = answers.iter().filter(|answer| answer.starts_with("ok ")).count();
        assert!(answers.iter().any(|answer| answer.starts_with("not written: No space left")), "{answers:?}");
        let ledger = std::fs::read_to_string("/mnt/full/ledger.log").unwrap();
        assert_eq!(ledger.lines().filter(|line| line.ends_with('}')).count(), confirmed);
        assert!(!ledger.ends_with('\n'), "the last one is torn");
        shell("rm /mnt/full/filler");
        assert_eq!(ask(&stream, "GET /?n=after HTTP/1.1\r\n\r\n"), "ok after - -\n");
        let ledger = std::fs::read_to_string("/mnt/full/ledger.log").unwrap();
        let last = ledger.lines().last().unwrap();
        assert!(last.starts_with("{\"id\":\"after\"") && last.ends_with('}'), "on a line of its own: {last}");
        shop.kill().and_then(|()| shop.wait()).unwrap();
    });
}

#[test]
fn what_a_crash_has_torn_stays_apart_from_what_comes_next() {
    alone(|| {
        shell("mkdir /mnt/shop && printf '{\"id\":\"cut o' > /mnt/shop/ledger.log");
        let mut shop = Command::new(env!("CARGO_BIN_EXE_phalanx-shop"))
            .args(["--data", "/mnt/shop", "--listen", "127.0.0.1:80"])
            .spawn()
            .unwrap();
        eventually("it listens", || TcpStream::connect("127.0.0.1:80").is_ok());
        let stream = TcpStream::connect("127.0.0.1:80").unwrap();
        assert_eq!(ask(&stream, "GET /?n=next HTTP/1.1\r\n\r\n"), "ok next - -\n");
        let ledger = std::fs::read_to_string("/mnt/shop/ledger.log").unwrap();
        assert!(ledger.starts_with("{\"id\":\"cut o\n{\"id\":\"next\""), "{ledger}");
        shop.kill().and_then(|()| shop.wait()).unwrap();
    });
}

#[test]
fn it_comes_up_a_moment_before_its_address() {
    alone(|| {
        shell("mkdir /mnt/shop && ip link add client type veth peer name wire && ip link set client up");
        let mut shop = Command::new(env!("CARGO_BIN_EXE_phalanx-shop"))
            .args(["--data", "/mnt/shop", "--listen", "10.11.0.100:80"])
            .spawn()
            .unwrap();
        eventually("it has begun", || std::path::Path::new("/mnt/shop/ledger.log").exists());
        shell("ip address add 10.11.0.100/24 dev client");
        eventually("it listens", || TcpStream::connect("10.11.0.100:80").is_ok());
        shop.kill().and_then(|()| shop.wait()).unwrap();
    });
}
