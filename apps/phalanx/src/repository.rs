//! `phalanx repository`: makes, shows and checks a repository disk that no daemon uses. What is believed of a disk and what mends it is decided
//! by `core/repository`.

use crate::ask;
use crate::cli::{Cli, RepositoryVerb};
use crate::cluster::{random, tell};
use crate::fault::{Exit, Fault};
use crate::paint::Paint;
use crate::repository_page::{self as page, Disk};
use phalanx_journal::StateDir;
use phalanx_ledger::Ledger;
use phalanx_repodisk::{Access, Cache, Device, Done, Fault as DiskFault, Image, Job, OpenError};
use phalanx_repository::{
    Expected, Finding, Hand, Header, Layout, Peer, Remedy, SECTOR_BYTES, Source, Survey, Whose, survey,
};
use phalanx_types::limits::{REPOSITORY_COMMAND_LIMIT, REPOSITORY_PEERS_MAX};
use phalanx_types::{ClusterId, RepositoryId};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// So many sectors are read at once to see whether anything is there.
const GLANCE_SECTORS: usize = 64;
/// Sectors at the end of a disk where something may stand that other programs look for: a second partition table, a RAID's mark.
const END_SECTORS: u64 = 64;

/// What a new repository begins with.
struct Beginning {
    cluster: ClusterId,
    name: String,
    key_epoch: u32,
    ledger: Ledger,
}

/// Does what the verb says.
pub fn run(cli: &Cli, verb: &RepositoryVerb) -> Result<(), Fault> {
    match verb {
        RepositoryVerb::Create { disk, slots, confirm, state_dir } => {
            create(cli, disk, *slots, confirm.as_deref(), state_dir)
        }
        RepositoryVerb::Show { disk, repository } => show(cli, disk, *repository),
        RepositoryVerb::Check { disk, repair, copies, repository } => {
            let access = if *repair { Access::Change } else { Access::Look };
            check(cli, disk, access, copies, *repository)
        }
    }
}

fn create(cli: &Cli, path: &Path, slots: u16, confirm: Option<&Path>, state_dir: &Path) -> Result<(), Fault> {
    let layout = Layout::new(slots).expect("the command line takes only numbers that a cluster can have");
    let beginning = Beginning::read(state_dir)?;
    let (disk, mut image) = open_new(path, layout)?;
    if let Some(found) = glance(path, &mut image, layout)? {
        let warning = page::warning(path, &found);
        confirmed(path, confirm, &warning)?;
    }
    let whose = Whose { cluster: beginning.cluster, repository: RepositoryId(random()?) };
    let header = Header { number: 1, layout, name: beginning.name };
    let (stamp, ledger) = (beginning.ledger.head().stamp(), beginning.ledger.to_image());
    let acts = Hand::maker(whose, beginning.key_epoch).create(header, stamp, &ledger);
    image.carry_out(acts).map_err(|fault| failed(path, &fault))?;
    let found = look(path, &mut image, &mut [], &expected(Some(whose.repository)))?;
    if !found.findings.is_empty() {
        return Err(left(path, &found.findings, "what was just written is not there: use another disk"));
    }
    let said = page::created(&disk, &whose, layout);
    tell(cli, &said, json!({ "repository": whose.repository, "cluster": whose.cluster, "disk": path }));
    Ok(())
}

fn show(cli: &Cli, path: &Path, repository: Option<RepositoryId>) -> Result<(), Fault> {
    let (disk, mut image) = open(path, Access::Look)?;
    let found = look(path, &mut image, &mut [], &expected(repository))?;
    let page = page::show(&disk, &found, Paint::of_stdout());
    ask::print(&if cli.json { format!("{}\n", page::json(&disk, &found)) } else { page });
    Ok(())
}

fn check(
    cli: &Cli,
    path: &Path,
    access: Access,
    copies: &[PathBuf],
    repository: Option<RepositoryId>,
) -> Result<(), Fault> {
    if copies.len() > REPOSITORY_PEERS_MAX {
        let what = format!("{} copies are too many", copies.len());
        let remedy = format!("give at most {REPOSITORY_PEERS_MAX}");
        return Err(Fault::new(Exit::BadInput, "PHX-C080", what, remedy));
    }
    let (disk, mut image) = open(path, access)?;
    let mut peers = copies
        .iter()
        .map(|copy| open(copy, Access::Look).map(|(_, image)| image))
        .collect::<Result<Vec<Image>, Fault>>()?;
    let found = look(path, &mut image, &mut peers, &expected(repository))?;
    let (found, mended) = match access {
        Access::Look => (found, 0),
        Access::Change => repair(path, &mut image, &mut peers, found)?,
    };
    // What a node writes again by itself is told, and calls for nobody.
    if found.findings.iter().any(|finding| finding.remedy != Remedy::Owner) {
        return Err(left(path, &found.findings, &page::next(path, access, &found)));
    }
    let page = page::whole(&disk, &found, mended);
    let mut data = page::json(&disk, &found);
    data["mended"] = mended.into();
    tell(cli, &page, data);
    Ok(())
}

/// Writes again what can be, and looks again.
fn repair(
    path: &Path,
    image: &mut Image,
    peers: &mut [Image],
    found: Survey,
) -> Result<(Survey, usize), Fault> {
    let mended = found.mends.len();
    for (spot, bytes) in found.mends {
        image.run(Job::Write { place: spot.place, bytes }).map_err(|fault| failed(path, &fault))?;
    }
    image.run(Job::Sync).map_err(|fault| failed(path, &fault))?;
    let whose = found.identity.map(|identity| identity.whose.repository);
    Ok((look(path, image, peers, &expected(whose))?, mended))
}

fn expected(repository: Option<RepositoryId>) -> Expected {
    Expected { repository, ..Expected::default() }
}

/// Looks at a disk. What is no repository, and a disk that does not answer, is a fault.
fn look(path: &Path, image: &mut Image, peers: &mut [Image], expected: &Expected) -> Result<Survey, Fault> {
    let mut copies: Vec<Peer<'_>> = peers.iter_mut().map(|peer| Peer::of_unknown_age(peer)).collect();
    let found = survey(image, &mut copies, expected);
    if image.is_given_up() {
        return Err(failed(path, &DiskFault::Overdue));
    }
    if found.identity.is_none() {
        let lines: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
        let what = format!("{} is no repository that can be read\n{}", path.display(), lines.join("\n"));
        let remedy =
            "look whether the right disk is named; give a copy with --copy, or say which with --repository";
        return Err(Fault { faults: page::list(&found.findings), ..not_a_repository(what, remedy) });
    }
    Ok(found)
}

fn not_a_repository(what: String, remedy: &str) -> Fault {
    Fault::new(Exit::BadInput, "PHX-C085", what, remedy)
}

/// What is left, with what to do about it.
fn left(path: &Path, findings: &[Finding], remedy: &str) -> Fault {
    let what = page::findings(path, findings);
    Fault { faults: page::list(findings), ..Fault::new(Exit::Failed, "PHX-C087", what, remedy) }
}

fn failed(path: &Path, fault: &DiskFault) -> Fault {
    let what = format!("{}: {fault}", path.display());
    Fault::new(Exit::Failed, "PHX-C086", what, "look at the kernel's log, then at the disk and the way to it")
}

fn open(path: &Path, access: Access) -> Result<(Disk, Image), Fault> {
    settle(path, Device::open(path, access).map_err(|error| unopened(path, &error))?)
}

/// The same of one that is to be written over: a file is made where there is none, and what is there has to be large enough.
fn open_new(path: &Path, layout: Layout) -> Result<(Disk, Image), Fault> {
    let is_device = path.starts_with("/dev");
    let device = match Device::open(path, Access::Change) {
        Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound && !is_device => {
            Device::make(path, layout.bytes())
        }
        outcome => outcome,
    };
    let device = device.map_err(|error| unopened(path, &error))?;
    if device.bytes() < layout.bytes() {
        let (has, needs) = (device.bytes(), layout.bytes());
        let what = format!("{} has {has} bytes, and a repository needs {needs}", path.display());
        let remedy = "take a larger disk, or fewer --slots; nothing was written";
        return Err(Fault::new(Exit::BadInput, "PHX-C082", what, remedy));
    }
    settle(path, device)
}

fn settle(path: &Path, device: Device) -> Result<(Disk, Image), Fault> {
    let disk = Disk {
        path: path.to_owned(),
        bytes: device.bytes(),
        block_bytes: device.block_bytes(),
        is_cached: device.cache() == Cache::Between,
    };
    let image = Image::new(device, REPOSITORY_COMMAND_LIMIT);
    Ok((disk, image.map_err(|error| failed(path, &DiskFault::Io(error)))?))
}

fn unopened(path: &Path, error: &OpenError) -> Fault {
    let what = format!("{}: {error}", path.display());
    match error {
        OpenError::InUse => {
            Fault::new(Exit::Refused, "PHX-C081", what, "nothing was written; take it out of use first")
        }
        OpenError::OtherKind | OpenError::LargeBlocks(_) | OpenError::Cached | OpenError::Io(_) => {
            Fault::new(Exit::BadInput, "PHX-C080", what, "look whether the right disk is named")
        }
    }
}

/// What is there already, if anything is, where a repository or the mark of something else would stand.
fn glance(path: &Path, image: &mut Image, layout: Layout) -> Result<Option<String>, Fault> {
    let found = survey(image, &mut [], &Expected::default());
    if let Some(identity) = found.identity {
        return Ok(Some(page::repository_there(&identity)));
    }
    let end = image.sectors().saturating_sub(END_SECTORS).max(layout.sectors());
    let ranges = [0..layout.sectors(), end..image.sectors()];
    for first in ranges.into_iter().flat_map(|range| range.clone().step_by(GLANCE_SECTORS)) {
        let sectors = GLANCE_SECTORS.min((image.sectors() - first) as usize);
        let read = image.run(Job::Read { place: first, sectors }).map_err(|fault| failed(path, &fault))?;
        let Done::Read(read) = read else { continue };
        let used = read.iter().position(|sector| sector.iter().any(|byte| *byte != 0));
        if let Some(at) = used {
            let byte = (first + at as u64) * SECTOR_BYTES as u64;
            return Ok(Some(format!("There is something at byte {byte}.")));
        }
    }
    Ok(None)
}

/// Whether the disk's name was typed, or is typed now.
fn confirmed(path: &Path, confirm: Option<&Path>, warning: &str) -> Result<(), Fault> {
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None if io::stdin().is_terminal() => asked(path, warning)?,
        None => {
            let what = format!("{warning}\nwriting over it wants its name typed, and there is no terminal");
            let remedy = format!("if that is what you want: --confirm {}", path.display());
            return Err(Fault::new(Exit::BadInput, "PHX-C083", what, remedy));
        }
    };
    if typed == path {
        return Ok(());
    }
    let what = format!("the disk is {}, and {} was typed", path.display(), typed.display());
    Err(Fault::new(Exit::BadInput, "PHX-C084", what, "nothing was written"))
}

fn asked(path: &Path, warning: &str) -> Result<PathBuf, Fault> {
    let page = format!("{warning}\nType the disk's name ({}) to go on: ", path.display());
    let (mut typed, mut out) = (String::new(), io::stderr());
    let read = out
        .write_all(page.as_bytes())
        .and_then(|()| out.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut typed));
    read.map_err(|error| Fault::file("standard input".as_ref(), &error))?;
    Ok(PathBuf::from(typed.trim()))
}

impl Beginning {
    fn read(state_dir: &Path) -> Result<Beginning, Fault> {
        let dir = StateDir::look(state_dir)?;
        let (identity, secret) = (dir.identity()?, dir.secret(None)?);
        let unreadable = |why: String| {
            let what = format!("{}: its configuration cannot be read: {why}", state_dir.display());
            Fault::new(Exit::BadInput, "PHX-C032", what, "use the version of Phalanx that wrote it")
        };
        let ledger = Ledger::from_image(&dir.ledger()?).map_err(|damage| unreadable(damage.to_string()))?;
        let parsed = phalanx_model::parse("ledger", ledger.active().text());
        let cluster = parsed.map_err(|faults| unreadable(format!("{} faults", faults.len())))?.cluster;
        let (cluster, name) = (identity.cluster, cluster.name.to_string());
        Ok(Beginning { cluster, name, key_epoch: secret.key_epoch, ledger })
    }
}
