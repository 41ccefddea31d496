//! The client's end of a connection, without the connection: bytes in, what was said out, and the other way round.

use crate::body::{self, Garbled};
use crate::frame::{Frames, TooLong, append, frame};
use crate::hello::{Greeting, Hello, Turned, VERSION, Welcome};
use crate::request::Request;
use crate::told::Told;
use std::fmt;

/// A session, from hello to its end.
#[derive(Clone, Debug)]
pub struct Session {
    stage: Stage,
    frames: Frames,
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The hello is not answered.
    Greeting,
    Open,
    /// Nothing more is understood, or said.
    Over,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The first thing: the session is open.
    Welcome(Welcome),
    /// Something told.
    Told(Told),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The node does not take this client.
    Turned(Turned),
    /// The other end does not speak this protocol, or no version of it that is spoken here.
    Garbled,
}

impl Session {
    /// A session that begins with this hello.
    pub fn new(hello: &Hello) -> Session {
        let unsent = frame(&hello.write(VERSION)).expect("its parts have limits that make it fit");
        Session { stage: Stage::Greeting, frames: Frames::default(), unsent }
    }

    /// Bytes came.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// The next thing that was said, if it has come whole. After an error there is no more.
    pub fn hear(&mut self) -> Result<Option<Heard>, Broken> {
        let heard = self.next();
        match heard {
            Err(_) => self.stage = Stage::Over,
            Ok(Some(Heard::Welcome(_))) => self.stage = Stage::Open,
            Ok(Some(Heard::Told(_)) | None) => {}
        }
        heard
    }

    fn next(&mut self) -> Result<Option<Heard>, Broken> {
        let stage = self.stage;
        if stage == Stage::Over {
            return Err(Broken::Garbled);
        }
        let Some(body) = self.frames.take()? else { return Ok(None) };
        if stage == Stage::Open {
            return Ok(Some(Heard::Told(Told::read(body)?)));
        }
        match Greeting::read(body)? {
            (version, Greeting::Welcome(welcome)) if (VERSION.oldest..=VERSION.newest).contains(&version) => {
                Ok(Some(Heard::Welcome(welcome)))
            }
            (_, Greeting::Welcome(_)) => Err(Broken::Garbled),
            (_, Greeting::Turned(why)) => Err(Broken::Turned(why)),
        }
    }

    /// Something is to be said. Only a list of providers can be too long; then nothing is said.
    pub fn request(&mut self, request: &Request) -> Result<(), TooLong> {
        append(&mut self.unsent, |out| body::write_onto(request, out))
    }

    /// What is to be sent.
    pub fn unsent(&self) -> &[u8] {
        &self.unsent
    }

    /// So many bytes of it are on their way.
    pub fn sent(&mut self, count: usize) {
        self.unsent.drain(..count);
    }
}

impl From<TooLong> for Broken {
    fn from(TooLong: TooLong) -> Broken {
        Broken::Garbled
    }
}

impl From<Garbled> for Broken {
    fn from(Garbled: Garbled) -> Broken {
        Broken::Garbled
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Turned(Turned::Foreign) => f.write_str("the node speaks another version"),
            Broken::Turned(Turned::Full) => f.write_str("the node has as many clients as it takes"),
            Broken::Turned(Turned::Forbidden) => {
                f.write_str("this user may not be a client of Group Services")
            }
            Broken::Garbled => f.write_str("the other end does not speak this protocol"),
        }
    }
}

impl std::error::Error for Broken {}
