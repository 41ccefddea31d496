//! Bytes that several keep and nobody copies: who waits for a place, who holds what others may lack, who delivers, who tells.

use serde::{Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes, or a part of bytes, that stay as long as anybody has them. A part keeps the whole: it is for who drops it soon, or
/// has most of it.
#[derive(Clone, Default)]
pub struct Shared {
    whole: Arc<Vec<u8>>,
    part: Range<usize>,
}

/// What bytes are decoded from, and so may be shared with: see [`Shared`]. Nothing, where they are to be copied.
pub trait Source {
    /// These bytes, without a copy if they are part of what is decoded.
    fn share(&mut self, bytes: &[u8]) -> Shared;
}

impl Shared {
    /// A part of it.
    #[inline]
    pub fn part(&self, range: Range<usize>) -> Shared {
        assert!(range.start <= range.end && range.end <= self.len(), "a part is within its whole");
        let part = self.part.start + range.start..self.part.start + range.end;
        Shared { whole: Arc::clone(&self.whole), part }
    }

    /// The bytes for who wants to change them: a copy, if somebody else has them, too.
    #[inline]
    pub fn make_mut(&mut self) -> &mut [u8] {
        &mut Arc::make_mut(&mut self.whole)[self.part.clone()]
    }

    /// Whether nobody else has it.
    #[inline]
    pub fn is_sole(&self) -> bool {
        Arc::strong_count(&self.whole) == 1
    }

    /// The memory, to be used again; `None` if somebody else has it, too.
    pub fn reclaim(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.whole)
    }

    /// Where `bytes` lie in it, if they do.
    #[inline]
    fn find(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let start = bytes.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let range = start..start.checked_add(bytes.len())?;
        (range.end <= self.len()).then_some(range)
    }
}

impl Source for () {
    #[inline]
    fn share(&mut self, bytes: &[u8]) -> Shared {
        bytes.to_vec().into()
    }
}

impl Source for &Shared {
    #[inline]
    fn share(&mut self, bytes: &[u8]) -> Shared {
        match self.find(bytes) {
            Some(range) => self.part(range),
            None => bytes.to_vec().into(),
        }
    }
}

impl From<Vec<u8>> for Shared {
    #[inline]
    fn from(bytes: Vec<u8>) -> Shared {
        let part = 0..bytes.len();
        Shared { whole: Arc::new(bytes), part }
    }
}

impl Deref for Shared {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.whole[self.part.clone()]
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        **self == **other
    }
}

impl Eq for Shared {}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Shared) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shared {
    fn cmp(&self, other: &Shared) -> Ordering {
        (**self).cmp(other)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

/// For fields that are bytes on the wire: `#[cbor(with = "phalanx_types::shared")]` on the field, and
/// `#[cbor(context_bound = "phalanx_types::Source")]` on its type.
pub fn encode<C, W: minicbor::encode::Write>(
    bytes: &Shared,
    e: &mut minicbor::Encoder<W>,
    _: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    e.bytes(bytes)?.ok()
}

/// See [`encode`].
pub fn decode<C: Source>(
    d: &mut minicbor::Decoder<'_>,
    source: &mut C,
) -> Result<Shared, minicbor::decode::Error> {
    Ok(source.share(d.bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_part_of_the_source_is_shared_and_all_else_is_copied() {
        let whole = Shared::from(vec![1, 2, 3, 4, 5]);
        let tail = whole.part(2..5);
        let mut source = &tail;
        let part = source.share(&tail[1..]);
        assert_eq!(*part, [4, 5]);
        assert_eq!(part.as_ptr(), whole[3..].as_ptr());
        for other in [&[4, 5][..], &whole[..], &whole[1..3]] {
            let copy = source.share(other);
            assert_eq!(&*copy, other);
            assert_ne!(copy.as_ptr(), other.as_ptr(), "it is not within the tail");
        }
        assert!(source.share(&[]).is_empty());
    }

    #[test]
    fn who_changes_shared_bytes_changes_a_copy() {
        let mut mine = Shared::from(vec![1, 2]);
        let theirs = mine.clone();
        mine.make_mut()[0] = 9;
        assert_eq!((&*mine, &*theirs), (&[9, 2][..], &[1, 2][..]));
        let at = mine.as_ptr();
        mine.make_mut()[1] = 8;
        assert_eq!(mine.as_ptr(), at, "nobody else has it");
        assert_eq!(mine.clone().reclaim(), None);
        assert_eq!(mine.reclaim(), Some(vec![9, 8]));
    }
}
