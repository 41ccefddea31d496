//! From the state directory to a node's birth: who it is, which life this is, what earlier lives left.

use crate::error::StartError;
use crate::settings::Settings;
use crate::twin;
use phalanx_conduct::PlannerLevel;
use phalanx_host::now;
use phalanx_journal::{Identity, StateDir, hex, stamp::life_floor};
use phalanx_ledger::Ledger;
use phalanx_model::Cluster;
use phalanx_node::{Birth, Stored, Unborn};
use phalanx_types::{BootId, Incarnation, Plot};
use phalanx_udp::{Challenge, ClusterKey, Identity as SealIdentity};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// All that a daemon is born with.
pub struct Cradle {
    pub dir: StateDir,
    pub identity: Identity,
    pub birth: Birth,
    pub seal: SealIdentity,
    pub cluster: Arc<Cluster>,
    /// The active cluster file.
    pub config: String,
}

impl Cradle {
    /// Reads everything, then begins a life: nothing that is damaged uses one up.
    pub fn open(settings: &Settings) -> Result<Cradle, StartError> {
        let dir = StateDir::open(&settings.state_dir)?;
        let identity = dir.identity()?;
        let secret = dir.secret(settings.key_file.as_deref())?;
        let (limits, ledger) = (dir.limits()?, dir.ledger()?);
        let boot = boot_id(&settings.boot_id_file)?;
        let (config, cluster) = active(&ledger).map_err(|why| unborn(settings, why))?;
        if let Some(twin) = twin::find(&cluster, identity.node) {
            return Err(StartError::Twin(identity.name.to_string(), settings.state_dir.clone(), twin));
        }
        let me = dir.begin_life(&identity, life_floor())?;
        let stored =
            Stored { view_counter_max: limits.view_counter_max, lease_max: limits.lease_max, ledger };
        let (planner, plot) = (PlannerLevel::LATEST, Plot::default());
        let birth = Birth { cluster: identity.cluster, me, boot, stored, now: now(), planner, plot };
        let seal = SealIdentity {
            cluster: identity.cluster,
            key_epoch: secret.key_epoch,
            key: ClusterKey(secret.key),
            me,
            challenge: challenge()?,
        };
        Ok(Cradle { dir, identity, birth, seal, cluster, config })
    }

    /// This life.
    pub fn me(&self) -> Incarnation {
        self.birth.me
    }
}

/// What `why` says of the state directory.
pub fn unborn(settings: &Settings, why: Unborn) -> StartError {
    StartError::Unborn(settings.state_dir.clone(), why)
}

fn active(ledger: &[u8]) -> Result<(String, Arc<Cluster>), Unborn> {
    let ledger = Ledger::from_image(ledger).map_err(Unborn::Ledger)?;
    let text = ledger.active().text().to_owned();
    let parsed = phalanx_model::parse("ledger", &text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Unborn::Config(lines.join("\n"))
    })?;
    Ok((text, Arc::new(parsed.cluster)))
}

fn boot_id(path: &Path) -> Result<BootId, StartError> {
    let text =
        fs::read_to_string(path).map_err(|error| StartError::BootId(path.to_owned(), error.to_string()))?;
    let id = hex::parse(&text).ok_or_else(|| "it is not 32 hexadecimal digits".to_owned());
    id.map(BootId).map_err(|why| StartError::BootId(path.to_owned(), why))
}

fn challenge() -> io::Result<Challenge> {
    let mut bits = [0; 32];
    let length = getrandom(&mut bits, GetRandomFlags::empty())?;
    assert_eq!(length, bits.len(), "the kernel gives up to 256 bytes whole");
    Ok(Challenge(bits))
}
