//! The small web application of the demo: it writes every request down with the ownership epoch, and answers only what
//! is on disk.
//!
//! Never decides who owns the data: that is what it is there to show.
#![forbid(unsafe_code)]

mod http;
mod ledger;
mod options;

use http::{Reply, Request};
use ledger::Ledger;
use options::Options;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Connections served at a time; one more is closed at once.
const CONNECTIONS_MAX: usize = 256;
/// A connection on which nothing is asked for this long is closed.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long a reader may take to take an answer.
const SEND_MAX: Duration = Duration::from_secs(5);
/// The address may come up a moment after us.
const BIND_PATIENCE: Duration = Duration::from_secs(2);
const BIND_PAUSE: Duration = Duration::from_millis(5);
const STACK_BYTES: usize = 256 * 1024;

fn main() -> ExitCode {
    match options::parse(env::args().skip(1)) {
        Ok(Options::Help) => {
            print!("{}", options::HELP);
            ExitCode::SUCCESS
        }
        Ok(Options::Version) => {
            println!("phalanx-shop {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Options::Serve { data, listen }) => match serve(&data, listen) {
            Ok(never) => match never {},
            Err(error) => fail(&error, 1),
        },
        Err(error) => fail(&error, 2),
    }
}

fn fail(error: &str, code: u8) -> ExitCode {
    eprintln!("phalanx-shop: {error}");
    ExitCode::from(code)
}

enum Never {}

fn serve(data: &std::path::Path, listen: SocketAddr) -> Result<Never, String> {
    let ledger = Ledger::open(data, owner("PHALANX_EPOCH"), owner("PHALANX_NODE"));
    let ledger = Arc::new(ledger.map_err(|error| format!("cannot write to {}: {error}", data.display()))?);
    let listener = bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        // A connection that was given up before it was taken harms nobody else.
        let Ok((stream, _)) = listener.accept() else { continue };
        let (ledger, slot) = (Arc::clone(&ledger), Slot::take(&open));
        let serve = move || slot.map(|_slot| converse(&stream, &ledger));
        if let Err(error) = thread::Builder::new().stack_size(STACK_BYTES).spawn(serve) {
            eprintln!("phalanx-shop: one connection refused: {error}");
        }
    }
}

/// What the cluster says of this start; `-` outside of one.
fn owner(variable: &str) -> String {
    env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| "-".into())
}

fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let since = Instant::now();
    loop {
        match TcpListener::bind(listen) {
            Err(_) if since.elapsed() < BIND_PATIENCE => thread::sleep(BIND_PAUSE),
            outcome => return outcome,
        }
    }
}

/// One of the connections served at a time, given back when dropped.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(open: &Arc<AtomicUsize>) -> Option<Slot> {
        let taken = open.fetch_add(1, SeqCst);
        let slot = Slot(Arc::clone(open));
        (taken < CONNECTIONS_MAX).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Answers one request after the other until the other side has no more.
fn converse(stream: &TcpStream, ledger: &Ledger) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_MAX))?;
    stream.set_write_timeout(Some(SEND_MAX))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read(&mut reader)? {
        let goes_on = request.keep_alive;
        answer(&request, ledger).write(stream, goes_on)?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

fn answer(request: &Request, ledger: &Ledger) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/health") => Reply::good(format!("well {}\n", ledger.owner())),
        ("GET", "/") if request.id.is_none() => {
            Reply::good(format!("phalanx shop, {}, {} orders\n", ledger.owner(), ledger.count()))
        }
        ("GET" | "POST", "/") => match ledger.append(request.id.as_deref().unwrap_or("-")) {
            Ok(()) => {
                Reply::good(format!("ok {} {}\n", request.id.as_deref().unwrap_or("-"), ledger.owner()))
            }
            Err(error) => Reply::bad(500, format!("not written: {error}\n")),
        },
        (_, "/" | "/health") => Reply::bad(405, "use GET or POST\n".into()),
        (_, _) => Reply::bad(404, "there is only / and /health\n".into()),
    }
}
