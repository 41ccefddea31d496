//! What a file system in user space is asked, and what it may ask in return, whoever talks to the kernel in between.

use phalanx_aha::{Asked, Errno, Handle, NodeNo, Owner, Poll, Ticket};

/// Takes what comes of something, now or later, on any thread.
pub(crate) type Answer<T> = Box<dyn FnOnce(Result<T, Errno>) + Send>;

/// What is told about a file or directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub node: NodeNo,
    pub is_directory: bool,
    pub owner: Owner,
    pub bytes: u64,
    pub links: u32,
}

/// An open file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub handle: Handle,
    pub reading: Reading,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// From any place on.
    Anywhere,
    /// Whatever comes next.
    Onwards,
}

/// Which rights change; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    pub mode: Option<u32>,
    pub user: Option<u32>,
    pub group: Option<u32>,
}

/// What is to be rung once an open file has something; the kernel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bell(pub u64);

/// A file system. None of its functions blocks; those with an [`Answer`] may give that later.
pub(crate) trait Service: Send + Sync {
    fn find(&self, parent: NodeNo, name: &[u8]) -> Result<Entry, Errno>;
    fn entry(&self, node: NodeNo) -> Result<Entry, Errno>;
    fn entries(&self, node: NodeNo) -> Result<Vec<(Vec<u8>, Entry)>, Errno>;
    fn change(&self, node: NodeNo, change: Change) -> Result<Entry, Errno>;
    fn make_directory(&self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<Entry, Errno>;
    fn remove(&self, parent: NodeNo, name: &[u8]) -> Result<(), Errno>;
    fn remove_directory(&self, parent: NodeNo, name: &[u8]) -> Result<(), Errno>;
    fn create(
        &self,
        ticket: Ticket,
        parent: NodeNo,
        name: &[u8],
        owner: Owner,
        answer: Answer<(Entry, Opened)>,
    );
    fn open(&self, ticket: Ticket, node: NodeNo, answer: Answer<Opened>);
    fn write(&self, handle: Handle, process: u32, text: &[u8]) -> Result<(), Errno>;
    fn read(&self, asked: Asked, answer: Answer<Vec<u8>>);
    fn poll(&self, ticket: Ticket, handle: Handle, bell: Option<Bell>, answer: Answer<Poll>);
    /// Whoever waits for that ticket's answer waits no longer. Says whether anybody did.
    fn interrupt(&self, ticket: Ticket) -> bool;
    fn close(&self, handle: Handle);
    /// How many files and directories there are.
    fn count(&self) -> usize;
}

/// The kernel's end, as far as a file system calls it by itself.
pub(crate) trait Kernel: Send + Sync {
    /// Wakes whoever polls an open file.
    fn ring(&self, bell: Bell);
}
