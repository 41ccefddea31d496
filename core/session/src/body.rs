//! Bodies: CBOR as we write it, and nothing else that CBOR could be.
//!
//! Before anything is decoded the whole body is walked once, without memory: it is one item, every length in it is said
//! beforehand and within the body. So a decoder meets nothing that it would have to remember or to make room for in vain.

use minicbor::{Decode, Encode};

/// This is not what we would have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// A body that says `thing`.
pub(crate) fn write<T: Encode<()>>(thing: &T) -> Vec<u8> {
    minicbor::to_vec(thing).expect("writing to memory does not fail")
}

/// Appends a body that says `thing`.
pub(crate) fn write_onto<T: Encode<()>>(thing: &T, out: &mut Vec<u8>) {
    minicbor::encode(thing, out).expect("writing to memory does not fail");
}

/// What a body says.
pub(crate) fn read<'b, T: Decode<'b, ()>>(body: &'b [u8]) -> Result<T, Garbled> {
    walk(body).ok_or(Garbled)?;
    minicbor::decode(body).map_err(|_| Garbled)
}

/// Whether a body is one item of known lengths.
fn walk(mut body: &[u8]) -> Option<()> {
    let mut items = 1u64;
    while items > 0 {
        let (major, argument) = head(&mut body)?;
        items -= 1;
        match major {
            // Numbers, and the small things: true, false, null.
            0 | 1 | 7 => {}
            // Bytes and text.
            2 | 3 => body = body.get(usize::try_from(argument).ok()?..)?,
            4 => items = items.checked_add(argument)?,
            5 => items = items.checked_add(argument.checked_mul(2)?)?,
            // We write no tags.
            _ => return None,
        }
        // Every item takes a byte at least.
        if items > body.len() as u64 {
            return None;
        }
    }
    body.is_empty().then_some(())
}

/// An item's major type and its argument.
fn head(body: &mut &[u8]) -> Option<(u8, u64)> {
    let (first, rest) = body.split_first()?;
    let length = match first & 0x1f {
        small @ 0..=23 => {
            *body = rest;
            return Some((first >> 5, u64::from(small)));
        }
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(length)?;
    *body = rest;
    Some((first >> 5, bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_item_of_known_lengths_is_a_body() {
        let fits = |body: &[u8]| walk(body).is_some();
        assert!(fits(&[0x01]) && fits(&[0x82, 0x01, 0x41, 0xff]) && fits(&[0xa1, 0x01, 0xf6]));
        assert!(!fits(&[]), "nothing");
        assert!(!fits(&[0x01, 0x01]), "two");
        assert!(!fits(&[0x9f, 0xff]), "an array without a length");
        assert!(!fits(&[0x82, 0x01]), "one is missing");
        assert!(!fits(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]), "more than there are numbers for");
        assert!(!fits(&[0x42, 0x00]), "a byte is missing");
        assert!(!fits(&[0xc0, 0x01]), "a tag");
    }
}
