//! Names of nodes, networks, groups and resources.
//!
//! A name is 1 to 64 characters of `a-z`, `0-9`, `-` and `_`, beginning with a letter, so that it can stand in a
//! path, an argument, an environment variable's value or a log line without being quoted.

use crate::limits::NAME_BYTES_MAX;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters.
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`] bytes.
    TooLong,
    /// It begins with something other than `a-z`.
    BadStart(char),
    /// It contains a character other than `a-z`, `0-9`, `-`, `_`.
    BadCharacter(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => write!(f, "a name cannot be empty"),
            NameError::TooLong => write!(f, "a name has at most {NAME_BYTES_MAX} characters"),
            NameError::BadStart(c) => write!(f, "a name begins with a letter a-z, not {c:?}"),
            NameError::BadCharacter(c) => write!(f, "a name consists of a-z, 0-9, '-' and '_', not {c:?}"),
        }
    }
}

impl std::error::Error for NameError {}

fn check(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if !first.is_ascii_lowercase() {
        return Err(NameError::BadStart(first));
    }
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    match text.chars().find(|c| !allowed(c)) {
        Some(other) => Err(NameError::BadCharacter(other)),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Serialize, Deserialize)]
        #[cbor(transparent)]
        #[serde(try_from = "String")]
        pub struct $name(#[n(0)] String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                check(&text).map(|()| Self(text))
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.str()?.parse().map_err(minicbor::decode::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A node's name in the cluster file; need not be its host name.
    NodeName,
    /// A network's name.
    NetworkName,
    /// A resource group's name.
    GroupName,
    /// A resource's name, unique within its group.
    ResourceName,
    /// A tie-breaker's name.
    TieBreakerName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_edge() {
        let parse = |text: &str| text.parse::<NodeName>().map(|name| name.to_string());
        assert_eq!(parse("db-1_a"), Ok("db-1_a".into()));
        assert_eq!(parse(""), Err(NameError::Empty));
        assert_eq!(parse("1db"), Err(NameError::BadStart('1')));
        assert_eq!(parse("db;rm"), Err(NameError::BadCharacter(';')));
        assert_eq!(parse("Ärger"), Err(NameError::BadStart('Ä')));
        assert_eq!(parse(&"a".repeat(65)), Err(NameError::TooLong));
    }

    #[test]
    fn a_bad_name_does_not_decode() {
        let bytes = minicbor::to_vec("../etc").expect("text always encodes");
        assert!(minicbor::decode::<GroupName>(&bytes).is_err());
    }
}
