//! Frames: where one ends and the next begins.

use phalanx_types::limits::GS_FRAME_BYTES_MAX;

/// Bytes of a frame's length.
const HEAD: usize = 4;

/// Longer than [`GS_FRAME_BYTES_MAX`]. If a frame says so that came, what follows it cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// What has come of a stream and was not taken out yet.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where the first frame that was not taken out begins.
    start: usize,
}

/// A body as it is sent.
pub fn frame(body: &[u8]) -> Result<Vec<u8>, TooLong> {
    if body.len() > GS_FRAME_BYTES_MAX {
        return Err(TooLong);
    }
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Appends to `out` what a body that `write` writes is as a frame; nothing if that is too long.
pub(crate) fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    write(out);
    let length = out.len() - start - HEAD;
    if length > GS_FRAME_BYTES_MAX {
        out.truncate(start);
        return Err(TooLong);
    }
    out[start..start + HEAD].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
}

impl Frames {
    /// Takes in what came. Only what came takes memory, whatever lengths it speaks of.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The body of the next whole frame, if it has come.
    pub fn take(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let rest = &self.bytes[self.start..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > GS_FRAME_BYTES_MAX {
            return Err(TooLong);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        self.start += HEAD + length;
        Ok(Some(body))
    }

    /// How many bytes of the first frame have not come yet, as far as is known.
    pub fn missing(&self) -> usize {
        let rest = &self.bytes[self.start..];
        let length = rest.first_chunk::<HEAD>().map(|head| u32::from_le_bytes(*head) as usize);
        (HEAD + length.unwrap_or(0).min(GS_FRAME_BYTES_MAX)).saturating_sub(rest.len())
    }

    /// Bytes that came and make no whole frame yet, or were not taken out.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }
}
