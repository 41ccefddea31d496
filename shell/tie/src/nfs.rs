//! Claims as files in a directory that all nodes have mounted from a file server (PowerHA: NFS tie breaker).
//!
//! A claim is written to a file of its own, made durable, and then linked to the name of its generation. A file server lets
//! one of several do that, and what it answered does not count: the file of that name says who has won. It is never changed,
//! so the one who has won hears the same however often it asks, and the other however late.

use crate::claim_file::{self, BYTES_MAX};
use phalanx_types::{Claim, ClusterId, Incarnation, NodeSet, Verdict};
use rustix::fs::statfs;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// File systems that come from a server or are shared by several hosts, as `statfs` names them (`linux/magic.h`, and the file
/// systems' own sources).
const SHARED: [(i64, &str); 7] = [
    (0x6969, "nfs"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
];
/// Claims of generations before this many are removed.
const KEPT_GENERATIONS: u64 = 8;
const SUFFIX: &str = ".claim";

/// The directory of one cluster's tie-breaker.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    cluster: ClusterId,
    me: Incarnation,
}

/// Why nobody knows who has won. Nothing was claimed, or it was and is not known.
#[derive(Debug)]
pub enum NfsError {
    /// The directory is on a file system of this host alone.
    NotShared(PathBuf),
    /// It could not be read or written.
    Io(PathBuf, io::Error),
    /// A file that should be a claim is none.
    NoClaim(PathBuf),
}

impl Directory {
    /// Of this cluster, for this life of a node.
    pub fn new(path: impl Into<PathBuf>, cluster: ClusterId, me: Incarnation) -> Directory {
        Directory { path: path.into(), cluster, me }
    }

    /// Whether it could be claimed in: it is there, it is shared, and it can be written.
    pub fn check(&self) -> Result<(), NfsError> {
        self.check_shared()?;
        let draft = self.path.join(format!(".check-{}", self.me.node.0));
        fs::write(&draft, "phalanx\n").and_then(|()| fs::remove_file(&draft)).map_err(self.failed(&draft))
    }

    /// Claims a generation. May hang for as long as the file server does.
    pub fn claim(&self, claim: Claim) -> Result<Verdict, NfsError> {
        self.check_shared()?;
        self.decide(claim)
    }

    fn decide(&self, claim: Claim) -> Result<Verdict, NfsError> {
        if let Some(winner) = self.later_winner(claim.generation)? {
            return Ok(Verdict::Lost(winner));
        }
        let place = self.place(claim.generation);
        let winner = match self.winner(&place, claim.generation)? {
            Some(winner) => winner,
            None => self.race(&place, claim)?,
        };
        Ok(if winner == claim.half { Verdict::Won } else { Verdict::Lost(winner) })
    }

    /// Writes the claim, and has it linked to its place unless another is there. Tells whose is there then.
    fn race(&self, place: &Path, claim: Claim) -> Result<NodeSet, NfsError> {
        let draft = self.path.join(format!(".draft-{}-{}-{}", self.cluster, self.me.node.0, self.me.start));
        let written = self.write(&draft, claim).and_then(|()| match fs::hard_link(&draft, place) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(self.failed(place)(error)),
            Ok(()) | Err(_) => Ok(()),
        });
        let winner = self.winner(place, claim.generation);
        // What is left of a draft is overwritten by the next one.
        let _ = fs::remove_file(&draft);
        self.sweep(claim.generation);
        match (winner?, written) {
            (Some(winner), _) => Ok(winner),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(NfsError::NoClaim(place.to_owned())),
        }
    }

    fn write(&self, draft: &Path, claim: Claim) -> Result<(), NfsError> {
        let failed = |error| self.failed(draft)(error);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).open(draft).map_err(failed)?;
        file.write_all(claim_file::write(self.cluster, claim).as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Who has won a generation, if anybody has.
    fn winner(&self, place: &Path, generation: u64) -> Result<Option<NodeSet>, NfsError> {
        let file = match File::open(place) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(place)(error)),
        };
        let mut text = String::new();
        file.take(BYTES_MAX as u64).read_to_string(&mut text).map_err(self.failed(place))?;
        let half = claim_file::read(&text, self.cluster, generation);
        half.map(Some).ok_or_else(|| NfsError::NoClaim(place.to_owned()))
    }

    /// Who has won the latest generation after this one: who claims this one has not heard of that yet.
    fn later_winner(&self, generation: u64) -> Result<Option<NodeSet>, NfsError> {
        let latest = self.generations()?.into_iter().max().filter(|latest| *latest > generation);
        latest.map_or(Ok(None), |latest| self.winner(&self.place(latest), latest))
    }

    /// The generations that were claimed. To read the directory also makes a client forget that a file was not there.
    fn generations(&self) -> Result<Vec<u64>, NfsError> {
        let failed = |error| self.failed(&self.path)(error);
        let prefix = format!("{}-", self.cluster);
        let mut generations = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(SUFFIX));
            generations.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(generations)
    }

    /// Removes claims of generations that are long over. That one cannot be removed does no harm.
    fn sweep(&self, generation: u64) {
        let over = |other: &u64| *other + KEPT_GENERATIONS < generation;
        let generations = self.generations().unwrap_or_default().into_iter().filter(over);
        generations.for_each(|other| drop(fs::remove_file(self.place(other))));
    }

    fn place(&self, generation: u64) -> PathBuf {
        self.path.join(format!("{}-{generation}{SUFFIX}", self.cluster))
    }

    fn check_shared(&self) -> Result<(), NfsError> {
        let found = statfs(&self.path).map_err(io::Error::from).map_err(self.failed(&self.path))?;
        match SHARED.iter().any(|(magic, _)| *magic == found.f_type) {
            true => Ok(()),
            false => Err(NfsError::NotShared(self.path.clone())),
        }
    }

    fn failed(&self, place: &Path) -> impl FnOnce(io::Error) -> NfsError + use<> {
        let place = place.to_owned();
        |error| NfsError::Io(place, error)
    }
}

impl fmt::Display for NfsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NfsError::NotShared(path) => {
                let names: Vec<_> = SHARED.iter().map(|(_, name)| *name).collect();
                write!(
                    f,
                    "{} is on a file system of this host alone; mount it from a file server ({})",
                    path.display(),
                    names.join(", ")
                )
            }
            NfsError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            NfsError::NoClaim(path) => write!(f, "{} is no claim of this cluster", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_sandbox::{SCRATCH, alone};
    use phalanx_types::NodeId;
    use std::sync::Barrier;
    use std::thread;

    const CLUSTER: ClusterId = ClusterId([7; 16]);

    fn directory(node: u16) -> Directory {
        Directory::new(SCRATCH, CLUSTER, Incarnation { node: NodeId(node), start: 1 })
    }

    fn claim(generation: u64, node: u16) -> Claim {
        Claim { generation, half: NodeSet::EMPTY.with(NodeId(node)) }
    }

    fn decide(node: u16, generation: u64) -> Verdict {
        directory(node).decide(claim(generation, node)).unwrap()
    }

    #[test]
    fn of_many_that_claim_at_once_one_wins_and_all_others_hear_who() {
        alone(|| {
            const NODES: u16 = 6;
            for generation in 1..=20 {
                let start = Barrier::new(usize::from(NODES));
                let race = |node| {
                    start.wait();
                    decide(node, generation)
                };
                let verdicts: Vec<Verdict> = thread::scope(|scope| {
                    let racing: Vec<_> = (1..=NODES).map(|node| scope.spawn(move || race(node))).collect();
                    racing.into_iter().map(|racing| racing.join().unwrap()).collect()
                });
                let winners: Vec<_> =
                    (1..).zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Won).collect();
                let [(winner, _)] = winners[..] else { panic!("{verdicts:?}") };
                let lost = Verdict::Lost(NodeSet::EMPTY.with(NodeId(winner)));
                assert_eq!(
                    verdicts.iter().filter(|verdict| **verdict == lost).count(),
                    usize::from(NODES) - 1
                );
            }
        });
    }

    #[test]
    fn a_claim_stays_and_who_is_behind_has_lost() {
        alone(|| {
            assert_eq!(decide(1, 1), Verdict::Won);
            assert_eq!(decide(1, 1), Verdict::Won, "again");
            let lost = |node| Verdict::Lost(NodeSet::EMPTY.with(NodeId(node)));
            assert_eq!(decide(2, 1), lost(1));
            assert_eq!(decide(2, 9), Verdict::Won);
            assert_eq!(decide(1, 8), lost(2), "a later generation was won");
            assert_eq!(decide(1, 30), Verdict::Won);
            assert_eq!(directory(1).generations().unwrap(), [30], "old claims are removed");
            assert_eq!(decide(2, 9), lost(1), "and who comes back from then has lost all the same");
        });
    }

    #[test]
    fn what_is_no_claim_is_nobodys_win() {
        alone(|| {
            fs::write(directory(1).place(1), "phalanx tie-breaker claim 1\n").unwrap();
            assert!(matches!(directory(1).decide(claim(1, 1)), Err(NfsError::NoClaim(_))));
        });
    }

    #[test]
    fn a_directory_of_this_host_alone_decides_nothing() {
        alone(|| {
            let refused = directory(1).claim(claim(1, 1)).unwrap_err();
            assert!(refused.to_string().contains("of this host alone"), "{refused}");
            assert!(matches!(directory(1).check(), Err(NfsError::NotShared(_))));
            let missing = Directory::new("/nowhere", CLUSTER, Incarnation { node: NodeId(1), start: 1 });
            assert!(matches!(missing.claim(claim(1, 1)), Err(NfsError::Io(_, _))));
        });
    }
}
