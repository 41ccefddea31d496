//! The thread that serves operators and programs on the local socket.

use crate::inbox::{Post, Word};
use phalanx_api::server::Daemon;
use phalanx_api::{Asked, Event, Server};
use phalanx_journal::event_log::last_lines;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

const STACK_BYTES: usize = 512 * 1024;

struct Porter {
    post: Post,
    events: PathBuf,
}

impl Daemon for Porter {
    fn ask(&mut self, asked: Asked) {
        self.post.send(Word::Asked(asked));
    }

    fn last_events(&mut self, count: usize) -> Vec<Event> {
        let lines = last_lines(&self.events, count);
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// Serves until the daemon's end of the server says so.
pub fn open(mut server: Server, post: Post, events: PathBuf) -> io::Result<JoinHandle<()>> {
    let work = move || {
        // If it is refused the main thread's own attempt tells why.
        let _ = phalanx_realtime::make_helper();
        if let Err(error) = server.run(&mut Porter { post, events }) {
            eprintln!("phalanxd: the local socket is closed: {error}");
        }
    };
    thread::Builder::new().name("door".into()).stack_size(STACK_BYTES).spawn(work)
}
