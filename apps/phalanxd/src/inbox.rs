//! Where the other threads leave what the real-time thread shall hear. Neither side waits for the other.

use crate::remark::Remark;
use phalanx_api::Asked;
use phalanx_lifeline::Slate;
use phalanx_node::Input;
use phalanx_realtime::{Bell, Giver, Refused, Taker, queue};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Words that may wait: far more than operations and clients there can be.
const WORDS_MAX: usize = 65_536;

/// What another thread has to say.
pub enum Word {
    /// Something for the core.
    Input(Input),
    /// Something that is only to be told.
    Remark(Remark),
    /// A client asks.
    Asked(Asked),
    /// Whether the deadman guards this node, or in words why not.
    Guarded(Result<Guarded, String>),
}

/// What a deadman said of itself when it began to guard this node.
pub struct Guarded {
    /// Where lease ends are written.
    pub slate: Option<Slate>,
    /// The timeout in seconds of its watchdog device, if it has one.
    pub watchdog: Option<u32>,
}

/// The real-time thread's end.
pub struct Inbox {
    words: Taker<Word>,
    bell: Arc<Bell>,
}

/// The other threads' end.
#[derive(Clone)]
pub struct Post {
    words: Giver<Word>,
    bell: Arc<Bell>,
}

/// Both ends.
pub fn inbox() -> io::Result<(Inbox, Post)> {
    let (giver, words) = queue(WORDS_MAX);
    let bell = Arc::new(Bell::new()?);
    Ok((Inbox { words, bell: Arc::clone(&bell) }, Post { words: giver, bell }))
}

impl Inbox {
    /// Silences the bell; before the words are read, so that none is missed.
    pub fn hush(&self) {
        self.bell.hush();
    }

    /// The next word, if there is one.
    pub fn next(&self) -> Option<Word> {
        self.words.take()
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
        match self.words.give(word) {
            Ok(()) => self.bell.ring(),
            Err(Refused::Gone) => {}
            // A daemon that hears nothing any more is worse than none.
            Err(Refused::Full) => panic!("the daemon does not hear: {WORDS_MAX} words wait for it"),
        }
    }

    /// Leaves an input for the core.
    pub fn input(&self, input: Input) {
        self.send(Word::Input(input));
    }
}
