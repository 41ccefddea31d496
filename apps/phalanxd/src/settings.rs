//! The arguments of `phalanxd`. Every path and port can be set, so that any number of daemons run on one host.

use clap::Parser;
use phalanx_api::Level;
use phalanx_udp::PORT_DEFAULT;
use std::path::PathBuf;

/// The daemon of a Phalanx node.
///
/// Runs in the foreground and logs to standard error, a line for each decision. SIGTERM moves the groups of this node
/// away first, then ends; a second SIGTERM ends at once, and the deadman stops what is left.
#[derive(Clone, Debug, Parser)]
#[command(name = "phalanxd", version)]
pub struct Settings {
    /// Identity, key, configuration and events of this node
    #[arg(long, value_name = "DIR", default_value = "/var/lib/phalanx")]
    pub state_dir: PathBuf,
    /// Sockets and what a reboot may forget
    #[arg(long, value_name = "DIR", default_value = "/run/phalanx")]
    pub run_dir: PathBuf,
    /// Where the kernel tells this boot of the host from others
    #[arg(long, value_name = "FILE", default_value = "/proc/sys/kernel/random/boot_id")]
    pub boot_id_file: PathBuf,
    /// The cluster's key, if it is kept outside the state directory
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// UDP port between the nodes, the same on all of them
    #[arg(long, value_name = "PORT", default_value_t = PORT_DEFAULT)]
    pub port: u16,
    /// The cgroup for what runs under the cluster's control [default: phalanx, at the top of the hierarchy]
    #[arg(long, value_name = "DIR")]
    pub cgroup_root: Option<PathBuf>,
    /// The socket of the deadman [default: deadman.sock in the run directory]
    #[arg(long, value_name = "SOCKET")]
    pub deadman: Option<PathBuf>,
    /// The group of this host whose members may be clients of Group Services, as root may
    #[arg(long, value_name = "GROUP", default_value = phalanx_providers::USERS)]
    pub clients: String,
    /// Mount the event file system there: files that tell programs what happens, as on AIX [default: not at all]
    #[arg(long, value_name = "DIR")]
    pub aha: Option<PathBuf>,
    /// The least urgent events that are logged: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log: Level,
}

impl Settings {
    /// The socket of the deadman.
    pub fn deadman_socket(&self) -> PathBuf {
        self.deadman.clone().unwrap_or_else(|| self.run_dir.join("deadman.sock"))
    }
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "error" => Ok(Level::Error),
        "warn" => Ok(Level::Warn),
        "info" => Ok(Level::Info),
        "debug" => Ok(Level::Debug),
        other => Err(format!("no level '{other}': use error, warn, info or debug")),
    }
}
