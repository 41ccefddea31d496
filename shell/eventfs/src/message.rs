//! What the kernel asks, read from bytes: the requests of FUSE 7.31 (`linux/fuse.h`) as far as this file system knows them.

use std::ffi::CStr;

/// The version that is spoken; the kernel adapts to an older one.
pub(crate) const MAJOR: u32 = 7;
/// The same.
pub(crate) const MINOR: u32 = 31;
/// Bytes in front of every request.
const HEAD_BYTES: usize = 40;
/// A poll wants to be woken later.
const SCHEDULE_NOTIFY: u32 = 1;
/// Which rights a request changes.
const SET_MODE: u32 = 1;
const SET_USER: u32 = 1 << 1;
const SET_GROUP: u32 = 1 << 2;

/// A request, and who it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// By which it is answered.
    pub unique: u64,
    /// The file or directory that it is about.
    pub node: u64,
    pub user: u32,
    pub group: u32,
    pub process: u32,
    pub request: Request<'a>,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Begin {
        major: u32,
        minor: u32,
    },
    Find {
        name: &'a [u8],
    },
    /// Needs no answer, and gets none.
    Forget,
    Attributes,
    SetAttributes {
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
    },
    MakeDirectory {
        mode: u32,
        name: &'a [u8],
    },
    Remove {
        name: &'a [u8],
    },
    RemoveDirectory {
        name: &'a [u8],
    },
    Create {
        mode: u32,
        name: &'a [u8],
    },
    Open,
    Read {
        handle: u64,
        offset: u64,
        most: u32,
        flags: u32,
    },
    Write {
        handle: u64,
        bytes: &'a [u8],
    },
    Close {
        handle: u64,
    },
    OpenDirectory,
    ReadDirectory {
        offset: u64,
        most: u32,
    },
    CloseDirectory,
    Statistics,
    Poll {
        handle: u64,
        bell: Option<u64>,
    },
    Interrupt {
        unique: u64,
    },
    /// Something that makes other kinds of files, or other names for one.
    MakeOther,
    /// Something that is answered by doing nothing.
    Sync,
    /// Anything else.
    Unknown,
}

impl<'a> Message<'a> {
    /// Reads one; `None` if it is cut short.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Message<'a>> {
        let (mut head, body) = bytes.split_at_checked(HEAD_BYTES).map(|(head, body)| (Fields(head), body))?;
        let (_length, code) = (head.u32()?, head.u32()?);
        let (unique, node) = (head.u64()?, head.u64()?);
        let (user, group, process) = (head.u32()?, head.u32()?, head.u32()?);
        Some(Message { unique, node, user, group, process, request: request(code, Fields(body))? })
    }
}

fn request<'a>(code: u32, mut body: Fields<'a>) -> Option<Request<'a>> {
    Some(match code {
        1 => Request::Find { name: body.name()? },
        2 | 42 => Request::Forget,
        3 => Request::Attributes,
        4 => set_attributes(body)?,
        6 | 8 | 12 | 13 | 45 => Request::MakeOther,
        9 => {
            let (mode, _umask) = (body.u32()?, body.u32()?);
            Request::MakeDirectory { mode, name: body.name()? }
        }
        10 => Request::Remove { name: body.name()? },
        11 => Request::RemoveDirectory { name: body.name()? },
        14 => Request::Open,
        15 => read(body)?,
        16 => write(body)?,
        17 => Request::Statistics,
        18 => Request::Close { handle: body.u64()? },
        20 | 30 => Request::Sync,
        26 => Request::Begin { major: body.u32()?, minor: body.u32()? },
        27 => Request::OpenDirectory,
        28 => {
            let (_handle, offset, most) = (body.u64()?, body.u64()?, body.u32()?);
            Request::ReadDirectory { offset, most }
        }
        29 => Request::CloseDirectory,
        35 => {
            let (_flags, mode, _umask, _open_flags) = (body.u32()?, body.u32()?, body.u32()?, body.u32()?);
            Request::Create { mode, name: body.name()? }
        }
        36 => Request::Interrupt { unique: body.u64()? },
        40 => {
            let (handle, bell, flags) = (body.u64()?, body.u64()?, body.u32()?);
            Request::Poll { handle, bell: (flags & SCHEDULE_NOTIFY != 0).then_some(bell) }
        }
        _ => Request::Unknown,
    })
}

fn set_attributes<'a>(mut body: Fields<'_>) -> Option<Request<'a>> {
    let what = body.u32()?;
    body.skip(4 + 6 * 8 + 3 * 4)?;
    let mode = body.u32()?;
    body.skip(4)?;
    let (user, group) = (body.u32()?, body.u32()?);
    let given = |flag: u32, value: u32| (what & flag != 0).then_some(value);
    let (mode, user, group) = (given(SET_MODE, mode), given(SET_USER, user), given(SET_GROUP, group));
    Some(Request::SetAttributes { mode, user, group })
}

fn read<'a>(mut body: Fields<'_>) -> Option<Request<'a>> {
    let (handle, offset, most) = (body.u64()?, body.u64()?, body.u32()?);
    let (_read_flags, _lock_owner) = (body.u32()?, body.u64()?);
    Some(Request::Read { handle, offset, most, flags: body.u32()? })
}

fn write(mut body: Fields<'_>) -> Option<Request<'_>> {
    let (handle, _offset, length) = (body.u64()?, body.u64()?, body.u32()?);
    body.skip(4 + 8 + 4 + 4)?;
    Some(Request::Write { handle, bytes: body.0.get(..length as usize)? })
}

/// What is left of a request; numbers are as this machine has them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        Some(CStr::from_bytes_until_nul(self.0).ok()?.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend([(HEAD_BYTES + body.len()) as u32, code].iter().flat_map(|field| field.to_ne_bytes()));
        bytes.extend([7u64, 1].iter().flat_map(|field| field.to_ne_bytes()));
        bytes.extend([1_000u32, 100, 42, 0].iter().flat_map(|field| field.to_ne_bytes()));
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_request_says_who_asks_for_what() {
        let bytes = message(1, b"fs\0");
        let expected = Message {
            unique: 7,
            node: 1,
            user: 1_000,
            group: 100,
            process: 42,
            request: Request::Find { name: b"fs" },
        };
        assert_eq!(Message::read(&bytes), Some(expected));
        let numbers = [5u64.to_ne_bytes(), 9u64.to_ne_bytes()].concat();
        let poll = |flags: u32| [numbers.clone(), flags.to_ne_bytes().to_vec(), vec![0; 4]].concat();
        check(40, &poll(1), Some(Request::Poll { handle: 5, bell: Some(9) }));
        check(40, &poll(0), Some(Request::Poll { handle: 5, bell: None }));
        let write = [numbers.clone(), 3u32.to_ne_bytes().to_vec(), vec![0; 20], b"YES".to_vec()].concat();
        check(16, &write, Some(Request::Write { handle: 5, bytes: b"YES" }));
    }

    fn check(code: u32, body: &[u8], expected: Option<Request<'_>>) {
        assert_eq!(Message::read(&message(code, body)).map(|message| message.request), expected);
    }

    #[test]
    fn what_is_cut_short_is_refused_and_what_is_unknown_is_said_to_be() {
        let numbers = [5u64.to_ne_bytes(), 9u64.to_ne_bytes()].concat();
        check(40, &numbers, None);
        check(1, b"no end", None);
        check(16, &[numbers, 3u32.to_ne_bytes().to_vec(), vec![0; 20], b"NO".to_vec()].concat(), None);
        check(99, b"", Some(Request::Unknown));
        assert_eq!(Message::read(&message(1, b"fs\0")[..HEAD_BYTES - 1]), None);
        for (code, length) in (0..60).flat_map(|code| (0..120).map(move |length| (code, length))) {
            let _ = Message::read(&message(code, &vec![b'x'; length]));
        }
    }
}
