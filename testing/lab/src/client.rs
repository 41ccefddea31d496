//! The client of the demo: asks every five milliseconds, whether the question before was answered or not, and keeps its own
//! list of answers.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// From one question to the next.
const EVERY: Duration = Duration::from_millis(5);
/// A connection that takes longer is given up; a local one takes microseconds.
const CONNECT_LIMIT: Duration = Duration::from_millis(30);
/// An answer that takes longer is given up.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// Questions that wait for an answer at a time: as many as are asked within the limits.
const OPEN_MAX: usize = 128;
const STACK_BYTES: usize = 64 * 1024;

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it was asked for.
    pub asked: Instant,
    /// When it came.
    pub came: Instant,
    /// The id of the order.
    pub id: u64,
    /// The ownership epoch that answered.
    pub epoch: u64,
    /// The node that answered.
    pub node: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { id, node, epoch, came, .. } = self;
        write!(f, "order {id}, answered by {node} in epoch {epoch} {:.3} s ago", came.elapsed().as_secs_f64())
    }
}

/// A client that asks until it is stopped.
pub struct Client {
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Begins to ask.
    pub fn start(server: SocketAddr) -> Client {
        let (answers, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (list, ended) = (Arc::clone(&answers), Arc::clone(&stop));
        let thread = thread::spawn(move || ask_until(server, &list, &ended));
        Client { answers, stop, thread: Some(thread) }
    }

    /// All good answers so far, in order.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().expect("the client's thread does not panic").clone()
    }

    /// The last good answer asked for at or before `when`.
    pub fn last_before(&self, when: Instant) -> Option<Answer> {
        self.answers().into_iter().rev().find(|answer| answer.came <= when)
    }

    /// The first good answer asked for at or after `when`, waiting for it.
    pub fn first_after(&self, when: Instant, limit: Duration) -> Option<Answer> {
        let mut found = None;
        crate::tool::wait_until(limit, || {
            let answers = self.answers.lock().expect("the client's thread does not panic");
            let came = answers.partition_point(|answer| answer.came < when);
            found = answers[came..].iter().find(|answer| answer.asked >= when).cloned();
            found.is_some()
        });
        found
    }

    /// The longest wait between two good answers, from the last one before `from` on.
    pub fn longest_gap(&self, from: Instant) -> Duration {
        let answers = self.answers();
        let first = answers.partition_point(|answer| answer.came < from).saturating_sub(1);
        let recent = &answers[first.min(answers.len())..];
        recent.windows(2).map(|pair| pair[1].came - pair[0].came).max().unwrap_or_default()
    }

    /// Stops asking.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A host that died keeps its last clients waiting; the others must not wait with them.
fn ask_until(server: SocketAddr, list: &Arc<Mutex<Vec<Answer>>>, stop: &AtomicBool) {
    let open = Arc::new(());
    let (mut id, mut next) = (0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        if Arc::strong_count(&open) <= OPEN_MAX {
            id += 1;
            ask_aside(server, id, Arc::clone(&open), Arc::clone(list));
        }
        next = (next + EVERY).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    crate::tool::wait_until(2 * ANSWER_LIMIT, || Arc::strong_count(&open) == 1);
}

/// Asks on a thread of its own, which holds `open` until it has ended.
fn ask_aside(server: SocketAddr, id: u64, open: Arc<()>, list: Arc<Mutex<Vec<Answer>>>) {
    let question = move || {
        let asked = Instant::now();
        if let Some((epoch, node)) = ask(server, id) {
            let mut list = list.lock().expect("nobody panics while holding it");
            list.push(Answer { asked, came: Instant::now(), id, epoch, node });
        }
        drop(open);
    };
    // A machine that has no thread left asks again in five milliseconds.
    let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn(question);
}

/// One order; the epoch and node of a good answer.
fn ask(server: SocketAddr, id: u64) -> Option<(u64, String)> {
    let mut stream = TcpStream::connect_timeout(&server, CONNECT_LIMIT).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    let request = format!("GET /?n={id} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.take(4_096).read_to_string(&mut text).ok()?;
    let body = text.split_once("\r\n\r\n")?.1;
    let mut words = body.split_whitespace();
    let good = words.next()? == "ok" && words.next()?.parse() == Ok(id);
    good.then(|| Some((words.next()?.parse().ok()?, words.next()?.to_owned()))).flatten()
}
