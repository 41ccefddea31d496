//! One session: two lives that may know each other's challenge, and a key for each direction.

use crate::drops::Dropped;
use crate::keys::{Challenge, Direction, Keyring};
use crate::window::Window;
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use phalanx_types::Incarnation;
use phalanx_wire::HEADER_BYTES;

/// A session with a peer. A frame opens under it only if its sender knew both challenges.
pub(crate) struct Session {
    pub(crate) life: Incarnation,
    pub(crate) challenge: Challenge,
    /// Whether a Hello of the peer has echoed our challenge.
    pub(crate) echoed: bool,
    sending: LessSafeKey,
    receiving: LessSafeKey,
    window: Window,
}

impl Session {
    pub(crate) fn new(
        keyring: &Keyring,
        me: (Incarnation, Challenge),
        peer: (Incarnation, Challenge),
    ) -> Session {
        let (life, challenge) = peer;
        let sending = keyring.session(&Direction { from: me, to: peer });
        let receiving = keyring.session(&Direction { from: peer, to: me });
        Session { life, challenge, echoed: false, sending, receiving, window: Window::default() }
    }

    /// Appends to `out` the header, and `body` sealed and bound to it.
    pub(crate) fn seal_onto(&self, header: [u8; HEADER_BYTES], counter: u64, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&header);
        let start = out.len();
        out.extend_from_slice(body);
        let sealed =
            self.sending.seal_in_place_separate_tag(nonce(counter), Aad::from(header), &mut out[start..]);
        let tag = sealed.expect("a frame is far shorter than the cipher's limit");
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens the body of a datagram where it stands; gives how long it is. Its counter is used up then, and only then.
    pub(crate) fn open(&mut self, counter: u64, head: &[u8], sealed: &mut [u8]) -> Result<usize, Dropped> {
        if !self.window.is_fresh(counter) {
            return Err(Dropped::Replay);
        }
        let opened = self.receiving.open_in_place(nonce(counter), Aad::from(head), sealed);
        let length = opened.map_err(|_| Dropped::Forged)?.len();
        self.window.take(counter);
        Ok(length)
    }
}

/// A counter is never used twice in one life, and a life's challenge is in the key.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
