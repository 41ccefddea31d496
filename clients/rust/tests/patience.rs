//! A node that takes nothing of a client until that has read what it was told: both kinds of clients listen while they talk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_client::{Client, Event, Name, Phases, Seat, Service, Settings, Wish, asynchronous};
use phalanx_groups::domain::Message;
use phalanx_session::{Frames, Greeting, Told, VERSION, Welcome, frame};
use phalanx_types::{Incarnation, NodeId};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// More than what the kernel keeps of either direction.
const MESSAGES: usize = 64;
const MESSAGE_BYTES: usize = 64 << 10;
const TOLD: usize = 200_000;
/// A client that does not listen fails the test after this time.
const LIMIT: Duration = Duration::from_secs(20);

fn seat() -> Seat {
    Seat { group: Name::new("web").unwrap(), instance: 1 }
}

fn message() -> Option<Message> {
    Some(Message::new(vec![7; MESSAGE_BYTES]).unwrap())
}

/// A node at the client's socket. It lets the client in, tells it much, and takes no request before all of that was read.
fn node(name: &str) -> (Settings, JoinHandle<()>) {
    let mut settings = Settings::new(name).unwrap();
    settings.run_dir = std::env::temp_dir().join(format!("phalanx-patience-{}-{name}", std::process::id()));
    let socket = settings.socket();
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let (listener, run_dir) = (UnixListener::bind(socket).unwrap(), settings.run_dir.clone());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        fs::remove_dir_all(run_dir).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        let mut requests = stream.try_clone().unwrap();
        let (mut frames, mut buffer) = (Frames::default(), vec![0; MESSAGE_BYTES]);
        let mut hear = |heard: usize| {
            for _ in 0..heard {
                while frames.take().unwrap().is_none() {
                    let length = requests.read(&mut buffer).unwrap();
                    assert!(length > 0, "the client is gone");
                    frames.push(&buffer[..length]);
                }
            }
        };
        hear(1);
        let (node, cluster) = ("bob".parse().unwrap(), "demo".parse().unwrap());
        let welcome = Welcome { client: 1, life: Incarnation { node: NodeId(2), start: 1 }, node, cluster };
        let Seat { group, instance } = seat();
        let told = frame(&Told::NotYours { group, instance }.write()).unwrap();
        let said = [frame(&Greeting::Welcome(welcome).write(VERSION.newest)).unwrap(), told.repeat(TOLD)];
        stream.write_all(&said.concat()).unwrap();
        hear(MESSAGES);
    };
    (settings, thread::spawn(serve))
}

#[test]
fn a_client_that_blocks_listens_while_it_talks() {
    let (settings, node) = node("blocks");
    let mut client = Client::connect(&settings).unwrap();
    for _ in 0..MESSAGES {
        client.propose(&seat(), Wish::Message(Service::Agreed), message(), Phases::One).unwrap();
    }
    node.join().unwrap();
    (0..TOLD).for_each(|_| assert!(matches!(client.next_event().unwrap(), Event::Refused { .. })));
}

#[tokio::test]
async fn one_on_a_runtime_does_too() {
    let (settings, node) = node("waits");
    let mut client = asynchronous::Client::connect(&settings).await.unwrap();
    for _ in 0..MESSAGES {
        client.propose(&seat(), Wish::Message(Service::Agreed), message(), Phases::One).await.unwrap();
    }
    node.join().unwrap();
    for _ in 0..TOLD {
        assert!(matches!(client.next_event().await.unwrap(), Event::Refused { .. }));
    }
}
