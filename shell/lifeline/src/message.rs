//! The messages. CBOR in one packet: version, sequence number, body; a later version may add fields and cases.

use minicbor::encode::write::Cursor;
use minicbor::{Decode, Encode};
use phalanx_types::{GroupName, Span, Tick};
use std::net::IpAddr;

/// The version of these messages.
pub const VERSION: u16 = 1;
/// Bytes of one message; a packet of a local socket holds more.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// A group that is, or is about to be, active on this host, and all that letting go of it takes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// The group.
    #[n(0)]
    pub group: GroupName,
    /// The directory of the cgroup in which all its processes live.
    #[n(1)]
    pub cgroup: String,
    /// Its file systems, in the order they are mounted.
    #[n(2)]
    pub file_systems: Vec<HeldFileSystem>,
    /// Its addresses.
    #[n(3)]
    pub addresses: Vec<HeldAddress>,
}

/// A file system to unmount.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeldFileSystem {
    /// The block device.
    #[n(0)]
    pub device: String,
    /// The mount point.
    #[n(1)]
    pub mount: String,
    /// The format as the kernel calls it: `ext4`, `xfs`, `btrfs`.
    #[n(2)]
    pub format: String,
}

/// An address to take off every interface that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeldAddress {
    /// The address.
    #[n(0)]
    pub address: IpAddr,
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// I am the daemon from now on; where do we stand?
    #[n(0)]
    Hello,
    /// Guard this group. Said before the first of its resources is started, and anew when it changes.
    #[n(1)]
    Hold(#[n(0)] Hold),
    /// A probe found nothing of this group here any more.
    #[n(2)]
    Drop {
        /// The group.
        #[n(0)]
        group: GroupName,
    },
    /// The lease runs to `until`. Said before that lease is used.
    #[n(3)]
    Feed {
        /// The end of the lease, on the boot clock.
        #[n(0)]
        until: Tick,
        /// The end of the lease that is kept for letting go.
        #[n(1)]
        stop_budget: Span,
    },
}

/// What the deadman answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// So be it.
    #[n(0)]
    Done,
    /// No; nothing has changed.
    #[n(1)]
    Refused {
        /// Why not.
        #[n(0)]
        why: String,
    },
    /// To a hello: where we stand.
    #[n(2)]
    Standing {
        /// The lease end last fed; [`Tick::ZERO`] if none was.
        #[n(0)]
        until: Tick,
        /// The groups that are guarded.
        #[n(1)]
        groups: Vec<GroupName>,
        /// The timeout, in seconds, of the watchdog device that is armed while something is held, if there is one.
        #[n(2)]
        watchdog: Option<u32>,
    },
}

/// A message in its packet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Packet<T> {
    #[n(0)]
    pub(crate) version: u16,
    #[n(1)]
    pub(crate) sequence: u32,
    #[n(2)]
    pub(crate) body: T,
}

/// The message does not fit into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl<T> Packet<T> {
    pub(crate) fn new(sequence: u32, body: T) -> Packet<T> {
        Packet { version: VERSION, sequence, body }
    }
}

/// Writes `packet` to the beginning of `buffer`; how many bytes that took. Takes no memory.
pub(crate) fn encode<T: Encode<()>>(packet: &Packet<T>, buffer: &mut [u8]) -> Result<usize, TooLarge> {
    let mut cursor = Cursor::new(buffer);
    minicbor::encode(packet, &mut cursor).map_err(|_| TooLarge)?;
    Ok(cursor.position())
}

/// Reads a packet; `None` if it makes no sense.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<Packet<T>> {
    minicbor::decode::<Packet<T>>(bytes).ok().filter(|packet| packet.version == VERSION)
}

/// What the bytes of a packet ask for; `None` if they make no sense.
pub fn read_request(bytes: &[u8]) -> Option<Request> {
    decode(bytes).map(|packet| packet.body)
}

/// What the bytes of a packet answer; `None` if they make no sense.
pub fn read_reply(bytes: &[u8]) -> Option<Reply> {
    decode(bytes).map(|packet| packet.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Hold {
        Hold {
            group: "shop".parse().unwrap(),
            cgroup: "/sys/fs/cgroup/phalanx/shop".into(),
            file_systems: vec![HeldFileSystem {
                device: "/dev/phalanx/shop".into(),
                mount: "/srv/shop".into(),
                format: "ext4".into(),
            }],
            addresses: ["10.11.0.100", "fd00:11::100"]
                .map(|text| HeldAddress { address: text.parse().unwrap() })
                .into(),
        }
    }

    fn check<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(body: T) {
        let (mut buffer, packet) = (vec![0; 4_096], Packet::new(7, body));
        let length = encode(&packet, &mut buffer).unwrap();
        assert_eq!(decode::<T>(&buffer[..length]), Some(packet));
        for cut in 0..length {
            assert_eq!(decode::<T>(&buffer[..cut]), None, "cut off at {cut}");
        }
    }

    #[test]
    fn messages_are_read_back_and_a_part_of_one_is_none() {
        let group = || "shop".parse().unwrap();
        check(Request::Hello);
        check(Request::Hold(shop()));
        check(Request::Drop { group: group() });
        check(Request::Feed { until: Tick(1 << 60), stop_budget: Span::from_millis(120) });
        check(Reply::Done);
        check(Reply::Refused { why: "it is past".into() });
        check(Reply::Standing { until: Tick(5), groups: vec![group()], watchdog: Some(2) });
    }

    #[test]
    fn any_bytes_are_a_message_or_none() {
        for first in 0..=255 {
            for second in 0..=255 {
                drop(decode::<Request>(&[first, second, 0x01, 0x00, 0x82, second]));
            }
        }
    }

    #[test]
    fn a_message_of_another_version_is_none() {
        let mut buffer = [0; 64];
        let packet = Packet { version: VERSION + 1, sequence: 1, body: Request::Hello };
        let length = encode(&packet, &mut buffer).unwrap();
        assert_eq!(decode::<Request>(&buffer[..length]), None);
    }

    #[test]
    fn what_does_not_fit_is_too_large() {
        assert_eq!(encode(&Packet::new(1, Request::Hold(shop())), &mut [0; 32]), Err(TooLarge));
    }
}
