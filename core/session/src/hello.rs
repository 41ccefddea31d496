//! Hello and its answer: who is there, and in which version both go on.
//!
//! Both begin with the same mark and two fixed bytes of version, so that two ends of any versions understand at least that
//! they do not understand each other.

use crate::body::{self, Garbled};
use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode};
use phalanx_groups::domain::LocalName;
use phalanx_types::limits::GS_COMMAND_BYTES_MAX;
use phalanx_types::{Incarnation, NodeName, Span};

const MARK: &[u8; 4] = b"PHGS";

/// The versions of this protocol that are spoken here.
pub const VERSION: Versions = Versions { oldest: 1, newest: 1 };

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The lowest.
    pub oldest: u16,
    /// The highest.
    pub newest: u16,
}

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// What it is called in logs.
    #[n(0)]
    pub name: LocalName,
    /// What is run when a provider of its is expelled with that wish.
    #[n(1)]
    pub deactivate: Option<Executable>,
    /// Whether and how it is checked that it answers.
    #[n(2)]
    pub responsiveness: Option<Responsiveness>,
}

/// A program by its absolute path.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Executable(#[n(0)] String);

/// How it is checked that a client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Responsiveness {
    /// How often it is asked.
    #[n(0)]
    pub interval: Span,
    /// How long it has to answer.
    #[n(1)]
    pub limit: Span,
}

/// What a node answers to a hello.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Greeting {
    /// It is a client now.
    #[n(0)]
    Welcome(#[n(0)] Welcome),
    /// It is none, and the connection ends.
    #[n(1)]
    Turned(#[n(0)] Turned),
}

/// What a client is told of itself and of where it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// Which client it is, unique within the life of its node.
    #[n(0)]
    pub client: u64,
    /// Its node in its present life.
    #[n(1)]
    pub life: Incarnation,
    /// The node's name.
    #[n(2)]
    pub node: NodeName,
    /// The cluster's name: the domain.
    #[n(3)]
    pub cluster: NodeName,
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Turned {
    /// The two have no version in common.
    #[n(0)]
    Foreign,
    /// There are as many clients as there may be.
    #[n(1)]
    Full,
    /// Its user may not be one.
    #[n(2)]
    Forbidden,
}

impl Versions {
    /// The highest that both speak.
    pub fn common(self, other: Versions) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

impl Executable {
    /// A program, if `path` can be one's.
    pub fn new(path: &str) -> Option<Executable> {
        let fits = path.len() <= GS_COMMAND_BYTES_MAX && path.starts_with('/') && !path.contains('\0');
        fits.then(|| Executable(path.to_owned()))
    }

    /// Its path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'b, C> Decode<'b, C> for Executable {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Executable, Error> {
        Executable::new(d.str()?).ok_or_else(|| Error::message("not the absolute path of a program"))
    }
}

impl Hello {
    /// As it is sent by who speaks `versions`.
    pub fn write(&self, versions: Versions) -> Vec<u8> {
        let Versions { oldest, newest } = versions;
        [MARK.as_slice(), &oldest.to_le_bytes(), &newest.to_le_bytes(), &body::write(self)].concat()
    }

    /// What was sent: the versions of who sent it, and, if one of them is spoken here, the rest.
    pub fn read(body: &[u8]) -> Result<(Versions, Option<Hello>), Garbled> {
        let (oldest, rest) = marked(body)?;
        let (newest, rest) = rest.split_first_chunk().ok_or(Garbled)?;
        let versions = Versions { oldest, newest: u16::from_le_bytes(*newest) };
        match versions.common(VERSION) {
            Some(_) => Ok((versions, Some(body::read(rest)?))),
            None => Ok((versions, None)),
        }
    }
}

impl Greeting {
    /// As it is sent to who is spoken to in `version`.
    pub fn write(&self, version: u16) -> Vec<u8> {
        [MARK.as_slice(), &version.to_le_bytes(), &body::write(self)].concat()
    }

    /// What was sent, and the version that is spoken from now on.
    pub fn read(body: &[u8]) -> Result<(u16, Greeting), Garbled> {
        let (version, rest) = marked(body)?;
        Ok((version, body::read(rest)?))
    }
}

fn marked(body: &[u8]) -> Result<(u16, &[u8]), Garbled> {
    let rest = body.strip_prefix(MARK.as_slice()).ok_or(Garbled)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Garbled)?;
    Ok((u16::from_le_bytes(*version), rest))
}
