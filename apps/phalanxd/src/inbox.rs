//! Where the other threads leave what the real-time thread shall hear. Neither side waits for the other.

use crate::remark::Remark;
use phalanx_api::Asked;
use phalanx_node::Input;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

/// What another thread has to say.
pub enum Word {
    /// Something for the core.
    Input(Input),
    /// Something that is only to be told.
    Remark(Remark),
    /// A client asks.
    Asked(Asked),
    /// Whether the deadman guards this node, in words.
    Guarded(Result<(), String>),
}

/// The real-time thread's end.
pub struct Inbox {
    words: Receiver<Word>,
    bell: Arc<OwnedFd>,
}

/// The other threads' end.
#[derive(Clone)]
pub struct Post {
    words: Sender<Word>,
    bell: Arc<OwnedFd>,
}

/// Both ends.
pub fn inbox() -> io::Result<(Inbox, Post)> {
    let (sender, words) = mpsc::channel();
    let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    Ok((Inbox { words, bell: Arc::clone(&bell) }, Post { words: sender, bell }))
}

impl Inbox {
    /// Silences the bell; before the words are read, so that none is missed.
    pub fn hush(&self) {
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
    }

    /// The next word, if there is one.
    pub fn next(&self) -> Option<Word> {
        self.words.try_recv().ok()
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Post {
    /// Leaves a word. If the daemon is ending nobody reads it any more.
    pub fn send(&self, word: Word) {
        if self.words.send(word).is_ok() {
            let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
        }
    }

    /// Leaves an input for the core.
    pub fn input(&self, input: Input) {
        self.send(Word::Input(input));
    }
}
