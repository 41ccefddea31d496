//! What a later life of the daemon must know of a resource: the acquisition that started it, and its main process.
//!
//! One small file for each, in a directory that a reboot empties. Written before the resource is started.

use crate::host::{Key, lock};
use phalanx_host::process::{Birth, parse_pid};
use phalanx_types::OwnershipEpoch;
use rustix::process::Pid;
use std::path::PathBuf;
use std::sync::Mutex;
use std::{fs, io};

/// What is remembered of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The acquisition that started it.
    pub(crate) epoch: OwnershipEpoch,
    /// Its main process, once there is one.
    pub(crate) main: Option<(Pid, Birth)>,
}

/// The records of this host.
#[derive(Debug)]
pub(crate) struct Records {
    directory: PathBuf,
    turn: Mutex<()>,
}

impl Records {
    pub(crate) fn new(directory: PathBuf) -> Records {
        Records { directory, turn: Mutex::default() }
    }

    /// Remembers `record`; whole or not at all.
    pub(crate) fn write(&self, key: &Key, record: Record) -> io::Result<()> {
        let _turn = lock(&self.turn);
        self.replace(key, record)
    }

    /// Forgets the main process if it still is `main`: it is over.
    pub(crate) fn forget_main(&self, key: &Key, main: (Pid, Birth)) {
        let _turn = lock(&self.turn);
        if let Some(record) = self.read(key).filter(|record| record.main == Some(main)) {
            // One that stays names a process that is no more, which its birth tells.
            let _ = self.replace(key, Record { main: None, ..record });
        }
    }

    fn replace(&self, key: &Key, record: Record) -> io::Result<()> {
        let path = self.path(key, "record");
        fs::create_dir_all(&self.directory)?;
        let draft = path.with_extension("draft");
        fs::write(&draft, record.text())?;
        fs::rename(&draft, &path)
    }

    /// What is remembered; `None` if nothing is, or nothing that makes sense.
    pub(crate) fn read(&self, key: &Key) -> Option<Record> {
        Record::parse(&fs::read_to_string(self.path(key, "record")).ok()?)
    }

    /// Forgets it.
    pub(crate) fn remove(&self, key: &Key) {
        let _turn = lock(&self.turn);
        for kind in ["record", "output"] {
            // What is left is found outdated by the next who reads it.
            let _ = fs::remove_file(self.path(key, kind));
        }
    }

    /// Where the output of the main process comes in.
    pub(crate) fn output(&self, key: &Key) -> PathBuf {
        self.path(key, "output")
    }

    fn path(&self, key: &Key, kind: &str) -> PathBuf {
        // Names have no dots, so these are as many files as there are resources.
        self.directory.join(format!("{}.{}.{kind}", key.group.as_str(), key.resource.as_str()))
    }
}

impl Record {
    fn text(&self) -> String {
        let main = self.main.map(|(pid, birth)| format!("pid={}\nbirth={}\n", pid.as_raw_nonzero(), birth.0));
        format!("epoch={}\n{}", self.epoch, main.unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Record> {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find_map(|(key, value)| (key == name).then_some(value))
        };
        let epoch = OwnershipEpoch(field("epoch")?.parse().ok()?);
        let main = || Some((parse_pid(field("pid")?)?, Birth(field("birth")?.parse().ok()?)));
        Some(Record { epoch, main: main() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_nonsense_is_none() {
        let pid = parse_pid("412").unwrap();
        for main in [None, Some((pid, Birth(7)))] {
            let record = Record { epoch: OwnershipEpoch(262_144), main };
            assert_eq!(Record::parse(&record.text()), Some(record));
        }
        for text in ["", "epoch=", "epoch=-1", "pid=4\nbirth=5"] {
            assert_eq!(Record::parse(text), None, "{text:?}");
        }
        let half = Record::parse("epoch=4\npid=9").unwrap();
        assert_eq!(half.main, None, "a pid without a birth names nobody");
    }
}
