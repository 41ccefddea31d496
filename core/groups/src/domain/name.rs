//! What a group, a provider and the values that they pass are called, and how large they may be.

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder, encode};
use phalanx_types::limits::{
    GS_FLAG_BYTES_MAX, GS_LOCAL_NAME_BYTES_MAX, GS_MESSAGE_BYTES_MAX, GS_NAME_BYTES_MAX, GS_STATE_BYTES_MAX,
};
use phalanx_types::{Incarnation, Shared, Source, shared};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Why something a client gave is not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unfit {
    /// A name is empty.
    Empty,
    /// Longer than the limit, bytes.
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Something else is in it than visible ASCII.
    NotVisible,
}

/// The name of a group of Group Services: 1 to 32 visible ASCII characters, unique in the domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name(#[serde(serialize_with = "plain")] Arc<str>);

/// What a provider is called in logs: up to 16 visible ASCII characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LocalName(String);

/// What a deactivate command is told by those who expel: up to 256 visible ASCII characters, so that it can be an argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flag(String);

/// The group state value: 1 to 256 bytes; a group begins with one of a single zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StateValue(#[serde(serialize_with = "plain")] Arc<[u8]>);

/// A provider message: up to 64 KiB. It is told to many, so a copy is the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Message(Shared);

/// A provider: an instance number, unique in its group on its node, and the life of that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub struct ProviderId {
    /// Its node in its present life.
    #[n(0)]
    pub life: Incarnation,
    /// Its instance number.
    #[n(1)]
    pub instance: i16,
}

impl Name {
    /// A name, if it is one.
    pub fn new(text: &str) -> Result<Name, Unfit> {
        match text.is_empty() {
            true => Err(Unfit::Empty),
            false => visible(text, GS_NAME_BYTES_MAX).map(|text| Name(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LocalName {
    /// A local name, if it is one.
    pub fn new(text: &str) -> Result<LocalName, Unfit> {
        visible(text, GS_LOCAL_NAME_BYTES_MAX).map(|text| LocalName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Flag {
    /// A flag, if it is one.
    pub fn new(text: &str) -> Result<Flag, Unfit> {
        visible(text, GS_FLAG_BYTES_MAX).map(|text| Flag(text.to_owned()))
    }

    /// The flag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StateValue {
    /// A state value, if it is one.
    pub fn new(bytes: Vec<u8>) -> Result<StateValue, Unfit> {
        StateValue::shared(bytes.into())
    }

    fn shared(bytes: Arc<[u8]>) -> Result<StateValue, Unfit> {
        match bytes.is_empty() {
            true => Err(Unfit::Empty),
            false => short(bytes, GS_STATE_BYTES_MAX).map(StateValue),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for StateValue {
    fn default() -> StateValue {
        StateValue([0].into())
    }
}

impl Message {
    /// A message, if it is one.
    pub fn new(bytes: Vec<u8>) -> Result<Message, Unfit> {
        Message::shared(bytes.into())
    }

    fn shared(bytes: Shared) -> Result<Message, Unfit> {
        short(bytes, GS_MESSAGE_BYTES_MAX).map(Message)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn visible(text: &str, max: usize) -> Result<&str, Unfit> {
    match () {
        () if text.len() > max => Err(Unfit::TooLong { max }),
        () if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(Unfit::NotVisible),
        () => Ok(text),
    }
}

fn short<T: Deref<Target = [u8]>>(bytes: T, max: usize) -> Result<T, Unfit> {
    if bytes.len() > max { Err(Unfit::TooLong { max }) } else { Ok(bytes) }
}

/// In notes and answers: like what is shared.
fn plain<T: Serialize + ?Sized, S: Serializer>(shared: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    shared.as_ref().serialize(serializer)
}

/// Written as text or bytes; what is read is as fit as what is made.
macro_rules! on_the_wire {
    ($type:ident, $write:ident, $read:ident, $make:expr) => {
        impl<C> Encode<C> for $type {
            fn encode<W: encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                e.$write(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $type {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<$type, Error> {
                $make(d.$read()?).map_err(|_| Error::message(concat!("not fit: ", stringify!($type))))
            }
        }
    };
}

on_the_wire!(Name, str, str, Name::new);
on_the_wire!(LocalName, str, str, LocalName::new);
on_the_wire!(Flag, str, str, Flag::new);
on_the_wire!(StateValue, bytes, bytes, |bytes: &[u8]| StateValue::shared(bytes.into()));

impl<C> Encode<C> for Message {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        shared::encode(&self.0, e, context)
    }
}

impl<'b, C: Source> Decode<'b, C> for Message {
    fn decode(d: &mut Decoder<'b>, source: &mut C) -> Result<Message, Error> {
        Message::shared(shared::decode(d, source)?).map_err(|_| Error::message("not fit: Message"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.life.node)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Empty => write!(f, "must not be empty"),
            Unfit::TooLong { max } => write!(f, "is longer than {max} bytes"),
            Unfit::NotVisible => write!(f, "may have visible ASCII characters only, no spaces"),
        }
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_keep_their_limits_also_on_the_wire() {
        assert_eq!(Name::new(""), Err(Unfit::Empty));
        assert_eq!(Name::new("a b"), Err(Unfit::NotVisible));
        assert_eq!(Name::new(&"n".repeat(33)), Err(Unfit::TooLong { max: 32 }));
        assert_eq!(StateValue::new(vec![0; 257]), Err(Unfit::TooLong { max: 256 }));
        let long = minicbor::to_vec("n".repeat(33).as_str()).unwrap();
        assert!(minicbor::decode::<Name>(&long).is_err(), "a peer cannot make what a client cannot");
        let name = Name::new("ha_em_peers").unwrap();
        assert_eq!(minicbor::decode::<Name>(&minicbor::to_vec(&name).unwrap()).unwrap(), name);
    }
}
