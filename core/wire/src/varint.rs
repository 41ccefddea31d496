//! Numbers in as few bytes as they need: seven bits in each, the lowest first, and a bit that says whether more follow.

use crate::frame::WireError;

/// Bytes of the longest number.
pub(crate) const BYTES_MAX: usize = 10;
const MORE: u8 = 0x80;
const BITS: u32 = 7;

/// Appends a number.
pub(crate) fn write(mut number: u64, out: &mut Vec<u8>) {
    while number >= u64::from(MORE) {
        out.push(number as u8 | MORE);
        number >>= BITS;
    }
    out.push(number as u8);
}

/// Takes a number off the front of `bytes`.
pub(crate) fn read(bytes: &mut &[u8]) -> Result<u64, WireError> {
    let mut number = 0;
    for place in 0..BYTES_MAX as u32 {
        let (&byte, rest) = bytes.split_first().ok_or(WireError::Truncated)?;
        *bytes = rest;
        let part = u64::from(byte & !MORE);
        let shifted = part << (place * BITS);
        if shifted >> (place * BITS) != part {
            return Err(WireError::BadField("number"));
        }
        number |= shifted;
        if byte & MORE == 0 {
            return Ok(number);
        }
    }
    Err(WireError::BadField("number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write(number, &mut out);
        out
    }

    #[test]
    fn golden_bytes_of_numbers() {
        for (number, bytes) in
            [(0, &[0][..]), (127, &[127]), (128, &[128, 1]), (300, &[0xac, 2]), (1 << 14, &[128, 128, 1])]
        {
            assert_eq!(written(number), bytes);
        }
        assert_eq!(written(u64::MAX).len(), BYTES_MAX);
    }

    #[test]
    fn what_is_too_long_or_too_large_is_no_number() {
        let fault = |bytes: &[u8]| read(&mut &*bytes).unwrap_err();
        assert_eq!(fault(&[]), WireError::Truncated);
        assert_eq!(fault(&[0x80]), WireError::Truncated);
        assert_eq!(fault(&[0x80; 11]), WireError::BadField("number"));
        assert_eq!(fault(&[&[0xff; 9][..], &[2]].concat()), WireError::BadField("number"));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(number in any::<u64>(), after in any::<u8>()) {
            let bytes = [written(number), vec![after]].concat();
            let mut rest = &bytes[..];
            prop_assert_eq!(read(&mut rest), Ok(number));
            prop_assert_eq!(rest, &[after]);
        }
    }
}
