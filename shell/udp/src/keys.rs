//! Keys, all derived from the cluster key. No key here is ever shown, logged or sent.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use phalanx_types::{ClusterId, Incarnation};

/// The secret that all nodes of a cluster share.
#[derive(Clone)]
pub struct ClusterKey(pub [u8; 32]);

/// 256 random bits, drawn by each life of each daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge(pub [u8; 32]);

/// The source of all keys of one cluster and one key epoch.
pub(crate) struct Keyring {
    root: hkdf::Prk,
    epoch: [u8; 4],
}

/// One direction between two lives that know each other's challenge.
pub(crate) struct Direction {
    pub(crate) from: (Incarnation, Challenge),
    pub(crate) to: (Incarnation, Challenge),
}

impl Keyring {
    pub(crate) fn new(key: &ClusterKey, cluster: ClusterId, key_epoch: u32) -> Keyring {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &cluster.0).extract(&key.0);
        Keyring { root, epoch: key_epoch.to_le_bytes() }
    }

    /// The key that authenticates Hellos.
    pub(crate) fn hello(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive(&[b"phalanx hello 1", &self.epoch]))
    }

    /// The key that seals frames in one direction of one session.
    pub(crate) fn session(&self, direction: &Direction) -> LessSafeKey {
        let life = |life: Incarnation| {
            let mut bytes = [0; 10];
            bytes[..2].copy_from_slice(&life.node.0.to_le_bytes());
            bytes[2..].copy_from_slice(&life.start.to_le_bytes());
            bytes
        };
        let Direction { from, to } = direction;
        let lives = [life(from.0), life(to.0)].concat();
        let key = self.derive(&[b"phalanx session 1", &self.epoch, &lives, &from.1.0, &to.1.0]);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("the key has the cipher's length"))
    }

    fn derive(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut key = [0; 32];
        let okm = self.root.expand(info, hkdf::HKDF_SHA256).expect("one block is not too long");
        okm.fill(&mut key).expect("the length asked for is the length given");
        key
    }
}
