//! The event file system, mounted: what the kernel asks by FUSE goes to [`phalanx_aha`], and so does what producers see.
//!
//! Three threads of ordinary priority: one serves the kernel and never waits for anything else, one asks whether an object can be
//! watched, one watches. None of them touches the file system that they serve.

mod check;
mod clock;
mod connection;
mod desk;
mod filling;
mod informant;
mod inodes;
mod message;
mod mount;
mod processes;
mod serve;
mod service;
mod watcher;

pub use desk::Refused;
pub use mount::MountError;

use connection::Connection;
use desk::{Desk, Orders, Seen};
use phalanx_aha::{Object, Occurrence, Ticket};
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use watcher::{Courier, Order, Watcher};

const STACK_BYTES: usize = 256 << 10;

/// A mounted event file system. Dropped, it is unmounted, and whoever waits in it is let go.
pub struct EventFs {
    place: PathBuf,
    desk: Weak<Desk>,
    ended: Arc<OwnedFd>,
    courier: Courier,
    serving: Option<JoinHandle<()>>,
}

impl EventFs {
    /// Mounts it at `place`. Registrations that are refused are told to `tell`, for the writer learns only that one was.
    pub fn mount(
        place: &Path,
        tell: impl Fn(Refused) + Send + Sync + 'static,
    ) -> Result<EventFs, MountError> {
        let (watcher, courier) = Watcher::new().map_err(MountError::Fuse)?;
        let ended =
            Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| MountError::Fuse(errno.into()))?);
        let (connection, place) = mount::begin(place)?;
        let connection = Arc::new(Connection::new(connection));
        let (ask, asked) = channel();
        let to_watcher = courier.clone();
        let orders = Orders {
            watch: Box::new(move |order| to_watcher.send(order)),
            // The thread ends with the desk, which sends this.
            check: Box::new(move |ticket, object| drop(ask.send((ticket, object)))),
            tell: Box::new(tell),
        };
        let desk = Arc::new(Desk::new(Arc::clone(&connection) as Arc<_>, orders));
        let mut mounted = EventFs { place, desk: Arc::downgrade(&desk), ended, courier, serving: None };
        mounted.begin(connection, &desk, watcher, asked).map_err(MountError::Fuse)?;
        Ok(mounted)
    }

    /// Where it is.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What tells programs of what the daemon itself sees.
    pub fn reporter(&self) -> Reporter {
        Reporter(Weak::clone(&self.desk))
    }

    /// The objects that somebody waits for and that are watched by now.
    pub fn watched(&self) -> Vec<Object> {
        self.desk.upgrade().map(|desk| desk.watched()).unwrap_or_default()
    }

    fn begin(
        &mut self,
        connection: Arc<Connection>,
        desk: &Arc<Desk>,
        watcher: Watcher,
        asked: Receiver<(Ticket, Object)>,
    ) -> io::Result<()> {
        let own = Arc::clone(desk);
        begin("aha-watch", move || drop(watcher.run(&own)))?;
        let own = Arc::downgrade(desk);
        // It may hang in a file system that does not answer.
        begin("aha-check", move || {
            while let Ok((ticket, object)) = asked.recv() {
                let outcome = check::check(&object);
                let Some(desk) = own.upgrade() else { return };
                desk.checked(ticket, outcome);
            }
        })?;
        let (own, ended) = (Arc::clone(desk), Arc::clone(&self.ended));
        self.serving = Some(begin("aha", move || drop(serve::serve(&connection, &*own, &ended)))?);
        Ok(())
    }
}

/// Tells programs of what happens, as long as the file system is mounted. It may wait for other threads of the file system, so the
/// real-time thread does not use it.
#[derive(Clone)]
pub struct Reporter(Weak<Desk>);

impl Reporter {
    /// Something happened to an object.
    pub fn report(&self, object: Object, what: Occurrence) {
        if let Some(desk) = self.0.upgrade() {
            desk.seen(vec![Seen::Happened(object, what)]);
        }
    }
}

impl Drop for EventFs {
    fn drop(&mut self) {
        mount::end(&self.place);
        let _ = rustix::io::write(&self.ended, &1u64.to_ne_bytes());
        self.courier.send(Order::End);
        // The other threads touch files of others; nobody waits for their end.
        if let Some(thread) = self.serving.take() {
            let _ = thread.join();
        }
    }
}

fn begin(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(work)
}
