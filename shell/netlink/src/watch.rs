//! Watches carriers and addresses change, on a socket of its own and a thread of its own.

use crate::interface::{Held, Interface};
use crate::request::parse;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use phalanx_realtime::make_helper;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The multicast groups RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR.
const GROUPS: u32 = 0x001 | 0x010 | 0x100;
const PART_BYTES_MAX: usize = 32 * 1024;
const STACK_BYTES: usize = 256 * 1024;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An interface came, or its carrier, name or hardware address may have changed.
    Interface(Interface),
    /// An interface is gone.
    InterfaceGone(Interface),
    /// An interface has an address.
    Added(Held),
    /// An interface has lost an address.
    Removed(Held),
    /// Changes came faster than they were read; some are lost. List anew.
    Missed,
}

/// A watch. Dropped, it has ended.
#[derive(Debug)]
pub struct Watch {
    ended: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the network namespace that the calling thread is in; `tell` is called on the watch's own thread. What
    /// changes after this returns is told.
    pub fn begin(tell: impl FnMut(Change) + Send + 'static) -> io::Result<Watch> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        let ended = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let until = Arc::clone(&ended);
        let watch = move || {
            // Where it is refused so is the daemon's own attempt, which tells why.
            let _ = make_helper();
            run(&socket, &until, tell);
        };
        let thread = thread::Builder::new().name("watch".into()).stack_size(STACK_BYTES).spawn(watch)?;
        Ok(Watch { ended, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let told = rustix::io::write(&*self.ended, &1u64.to_ne_bytes());
        // A thread that was not told would be waited for without end.
        if let (Ok(_), Some(thread)) = (told, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn run(socket: &OwnedFd, ended: &OwnedFd, mut tell: impl FnMut(Change)) {
    let mut buffer = vec![0; PART_BYTES_MAX];
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        match recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((count, _)) => changes(&buffer[..count]).into_iter().for_each(&mut tell),
            Err(Errno::NOBUFS) => tell(Change::Missed),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn changes(bytes: &[u8]) -> Vec<Change> {
    let Ok(messages) = parse(bytes) else { return vec![Change::Missed] };
    messages.into_iter().filter_map(|message| change(message.payload)).collect()
}

fn change(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<Change> {
    let NetlinkPayload::InnerMessage(message) = payload else { return None };
    match message {
        RouteNetlinkMessage::NewLink(link) => Some(Change::Interface(Interface::of(&link))),
        RouteNetlinkMessage::DelLink(link) => Some(Change::InterfaceGone(Interface::of(&link))),
        RouteNetlinkMessage::NewAddress(address) => Held::of(&address).map(Change::Added),
        RouteNetlinkMessage::DelAddress(address) => Held::of(&address).map(Change::Removed),
        // The groups joined carry nothing else.
        _ => None,
    }
}
