//! Stories of clients at the socket: answered, refused, informed, dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_api::server::Daemon;
use phalanx_api::{Answer, Ask, Asked, Client, Event, Level, SCHEMA, Server, Told, socket};
use phalanx_conduct::Reply;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// A server, and the end where a daemon would be.
struct Site {
    run_dir: PathBuf,
    told: Told,
    asked: Receiver<Asked>,
    server: Option<JoinHandle<()>>,
}

struct Porter(Sender<Asked>);

impl Daemon for Porter {
    fn ask(&mut self, asked: Asked) {
        self.0.send(asked).unwrap();
    }

    fn last_events(&mut self, count: usize) -> Vec<Event> {
        (1..=count as u64).map(event).collect()
    }
}

impl Site {
    fn new(name: &str) -> Site {
        let run_dir = std::env::temp_dir().join(format!("phalanx-api-{}-{name}", std::process::id()));
        let (mut server, told) = Server::new(socket::listen(&run_dir).unwrap()).unwrap();
        let (sender, asked) = mpsc::channel();
        let serve = move || server.run(&mut Porter(sender)).unwrap();
        Site { run_dir, told, asked, server: Some(thread::spawn(serve)) }
    }

    fn client(&self, ask: &Ask) -> Client {
        let mut client = Client::connect(&self.run_dir).unwrap();
        client.limit(Some(LIMIT));
        client.ask(ask).unwrap();
        client
    }

    fn asked(&self) -> Asked {
        self.asked.recv_timeout(LIMIT).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.told.end();
        self.server.take().map(JoinHandle::join).unwrap().unwrap();
        let _ = fs::remove_dir_all(&self.run_dir);
    }
}

fn event(number: u64) -> Event {
    let (time, node, text) = ("2026-01-01T00:00:00.000Z".into(), "ada".into(), format!("event {number}"));
    Event { schema: SCHEMA, number, time, node, level: Level::Info, text, note: Value::Null }
}

#[test]
fn a_read_is_answered_once() {
    let site = Site::new("read");
    let mut client = site.client(&Ask::Status);
    let asked = site.asked();
    assert_eq!(asked.ask, Ask::Status);
    let answer = Answer::Status { status: json!({ "view": "3/1" }) };
    site.told.answer(asked.client, answer.clone());
    assert_eq!(client.hear().unwrap(), answer);
}

#[test]
fn a_change_is_taken_tells_its_progress_and_ends() {
    let site = Site::new("change");
    let group = || "shop".parse().unwrap();
    let mut client = site.client(&Ask::Online { group: group() });
    let asked = site.asked();
    assert!(asked.by.contains("uid "), "{}", asked.by);
    site.told.event(Arc::new(event(7)));
    site.told.event(Arc::new(Event { level: Level::Debug, ..event(8) }));
    let reply = Answer::Reply { reply: Reply::Done { what: "shop is online".into() } };
    site.told.answer(asked.client, reply.clone());
    site.told.event(Arc::new(event(9)));
    let heard: Vec<Answer> = (0..3).map(|_| client.hear().unwrap()).collect();
    assert_eq!(heard, [Answer::Taken, Answer::Event(event(7)), reply]);
    client.ask(&Ask::Status).unwrap();
    site.told.answer(site.asked().client, Answer::End);
    assert_eq!(client.hear().unwrap(), Answer::End, "nothing was told after the end");
}

#[test]
fn events_are_the_last_ones_and_then_those_that_happen() {
    let site = Site::new("events");
    let mut client = site.client(&Ask::Events { last: 2, follow: true });
    assert_eq!(client.hear().unwrap(), Answer::Event(event(1)));
    assert_eq!(client.hear().unwrap(), Answer::Event(event(2)));
    site.told.event(Arc::new(event(3)));
    assert_eq!(client.hear().unwrap(), Answer::Event(event(3)));
}

#[test]
fn what_is_no_ask_is_refused_and_the_client_may_go_on() {
    let site = Site::new("nonsense");
    let mut stream = UnixStream::connect(socket::path(&site.run_dir)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"{\"ask\":\"dance\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.contains("refused") && line.contains("dance"), "{line}");
}

#[test]
fn two_asks_in_one_packet_are_both_answered() {
    let site = Site::new("pipelined");
    let mut stream = UnixStream::connect(socket::path(&site.run_dir)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"{\"ask\":\"events\",\"last\":1,\"follow\":false}\n{\"ask\":\"dance\"}\n").unwrap();
    let lines: Vec<String> = BufReader::new(&stream).lines().take(3).map(Result::unwrap).collect();
    assert!(
        lines[0].contains("event 1") && lines[1].contains("end") && lines[2].contains("dance"),
        "{lines:?}"
    );
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_the_others_are_served() {
    let site = Site::new("slow");
    let slow = site.client(&Ask::Events { last: 0, follow: true });
    let mut quick = site.client(&Ask::Events { last: 0, follow: true });
    let long = Event { text: "x".repeat(1 << 20), ..event(1) };
    for _ in 0..8 {
        site.told.event(Arc::new(long.clone()));
        assert_eq!(quick.hear().unwrap(), Answer::Event(long.clone()));
    }
    let mut slow = slow;
    let ended = (0..9).find_map(|_| slow.hear().err());
    assert!(ended.is_some(), "what it had not read is gone, and so is it");
}

#[test]
fn a_second_server_is_refused_and_a_dead_ones_socket_is_taken_over() {
    let site = Site::new("second");
    assert!(matches!(socket::listen(&site.run_dir), Err(phalanx_api::SocketError::InUse(_))));
    let dead = site.run_dir.join("dead");
    drop(socket::listen(&dead).unwrap());
    assert!(socket::listen(&dead).is_ok());
}
