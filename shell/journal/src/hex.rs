//! Bytes as people see them, and back.

/// Reads `2 * N` hexadecimal digits; hyphens, as in a boot id, do not count.
pub fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b'-').collect();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_and_nothing_else() {
        let id = parse::<16>("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n").unwrap();
        assert_eq!((id[0], id[15]), (0x0f, 0xf0));
        for wrong in ["", "0f", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fx", "é"] {
            assert_eq!(parse::<16>(wrong), None, "{wrong:?}");
        }
    }
}
