//! The ledger as bytes on disk: a magic, the length, the digest of what follows, and the versions.
//!
//! A reader can tell a whole image from a torn, shortened or foreign one, and never takes a damaged one for empty.

use crate::{Ledger, Version};
use minicbor::{Decode, Encode};
use phalanx_types::limits::CLUSTER_FILE_BYTES_MAX;
use phalanx_types::{Charter, Digest, StretchRecord};
use std::fmt;

const MAGIC: [u8; 8] = *b"PHXLEDG1";
const HEAD_BYTES: usize = 8 + 8 + 32;
/// Two versions and what binds them.
const BODY_BYTES_MAX: usize = 2 * CLUSTER_FILE_BYTES_MAX + 1_024;
/// Bytes of the largest image.
pub const IMAGE_BYTES_MAX: usize = HEAD_BYTES + BODY_BYTES_MAX;

/// What is wrong with an image. It is never repaired here: other nodes have good copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as a ledger does.
    NotALedger,
    /// It is shorter or longer than it says.
    WrongLength {
        /// The length it gives.
        says: u64,
        /// The length it has.
        has: u64,
    },
    /// Its content has another digest than it says.
    WrongDigest,
    /// The digest is right but this program cannot read it: a newer one wrote it.
    Unreadable,
}

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    active: Version,
    #[n(1)]
    staged: Option<Version>,
    /// Not written while it is the first.
    #[n(2)]
    charter: Option<Charter>,
    /// Nor this.
    #[n(3)]
    stretch: Option<StretchRecord>,
}

impl Ledger {
    /// The ledger as bytes.
    pub fn to_image(&self) -> Vec<u8> {
        let charter = Some(self.charter).filter(|charter| *charter != Charter::FIRST);
        let stretch = Some(self.stretch).filter(|stretch| *stretch != StretchRecord::FIRST);
        let body = Body { active: self.active.clone(), staged: self.staged.clone(), charter, stretch };
        let body = minicbor::to_vec(body).expect("writing to memory does not fail");
        let length = (body.len() as u64).to_le_bytes();
        [&MAGIC, &length[..], &Digest::of(&body).0[..], &body].concat()
    }

    /// Reads an image; the whole input must be one.
    pub fn from_image(bytes: &[u8]) -> Result<Ledger, Damage> {
        if bytes.len() < HEAD_BYTES || bytes[..8] != MAGIC {
            return Err(Damage::NotALedger);
        }
        let (head, body) = bytes.split_at(HEAD_BYTES);
        let says = u64::from_le_bytes(head[8..16].try_into().expect("eight bytes"));
        let has = body.len() as u64;
        if says != has || body.len() > BODY_BYTES_MAX {
            return Err(Damage::WrongLength { says, has });
        }
        if Digest::of(body).0 != head[16..] {
            return Err(Damage::WrongDigest);
        }
        let Body { active, staged, charter, stretch } =
            minicbor::decode(body).map_err(|_| Damage::Unreadable)?;
        let (charter, stretch) = (charter.unwrap_or(Charter::FIRST), stretch.unwrap_or(StretchRecord::FIRST));
        Ok(Ledger { active, staged, charter, stretch })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::NotALedger => write!(f, "it does not begin as a ledger does"),
            Damage::WrongLength { says, has } => {
                write!(f, "it says {says} bytes and has {has}: cut off or appended to")
            }
            Damage::WrongDigest => write!(f, "its content does not have the digest written in it"),
            Damage::Unreadable => write!(f, "a newer version of Phalanx wrote it"),
        }
    }
}

impl std::error::Error for Damage {}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{NodeId, NodeSet, Origin, Span, Stall, Step, Stretch, ViewId};
    use proptest::prelude::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::begin("one".into());
        let second = ledger.next("two".into(), ViewId { counter: 5, coordinator: NodeId(1) });
        ledger.stage(second).expect("it follows");
        ledger
    }

    #[test]
    fn an_image_reads_back() {
        assert_eq!(Ledger::from_image(&ledger().to_image()), Ok(ledger()));
        let mut formed = ledger();
        let few = NodeSet::EMPTY.with(NodeId(1));
        formed.begin_generation(
            Origin::Operator { few, others: few },
            ViewId { counter: 9, coordinator: NodeId(1) },
        );
        assert_eq!(Ledger::from_image(&formed.to_image()), Ok(formed));
        let mut stretched = ledger();
        let stall = Stall { node: NodeId(1), length: Span(7) };
        let stretch = Stretch::FIRST.changed(ViewId::NONE, Step(2), Some(stall));
        stretched.set_stretch(StretchRecord { stretch, lease_max: Span(9), untold: Some(Span(8)) });
        assert_eq!(Ledger::from_image(&stretched.to_image()), Ok(stretched));
    }

    #[test]
    fn an_image_cut_at_any_byte_is_damaged_and_never_empty() {
        let image = ledger().to_image();
        for length in 0..image.len() {
            assert!(Ledger::from_image(&image[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn an_image_with_any_byte_changed_is_damaged() {
        let image = ledger().to_image();
        for at in 0..image.len() {
            let mut image = image.clone();
            image[at] ^= 0x40;
            assert!(Ledger::from_image(&image).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), magic: bool) {
            if magic && bytes.len() >= 8 {
                bytes[..8].copy_from_slice(&MAGIC);
            }
            let _ = Ledger::from_image(&bytes);
        }
    }
}
