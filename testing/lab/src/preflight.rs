//! What the laboratory needs, checked before anything is built: one sentence with the remedy.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Programs that are needed, and the Debian package that brings each.
const PROGRAMS: &[(&str, &str)] = &[
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("losetup", "util-linux"),
    ("ip", "iproute2"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nbdkit", "nbdkit"),
    ("nbdfuse", "libnbd-bin"),
];
/// CAP_SYS_ADMIN is capability 21.
const CAP_SYS_ADMIN: u32 = 21;

/// Why the laboratory cannot run here, in one sentence with what to do.
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some(
            "the demo makes network namespaces and mounts a file system: run it as root (sudo make demo)"
                .into(),
        );
    }
    if !has_sys_admin() {
        return Some("root lacks CAP_SYS_ADMIN here, as in most containers: run the demo on a machine or in a virtual machine, or start the container with --privileged".into());
    }
    let devices = [("/dev/fuse", "modprobe fuse"), ("/dev/loop-control", "modprobe loop")];
    let missing = devices.into_iter().find(|(device, _)| !Path::new(device).exists());
    missing.map(|(device, remedy)| format!("{device} is missing, and the shared disk needs it: {remedy}"))
}

/// The Debian packages that are still to be installed.
pub fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    missing.dedup();
    missing
}

fn is_installed(program: &str) -> bool {
    let found = |folder: &str| Path::new(folder).join(program).is_file();
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].into_iter().any(found)
}

fn has_sys_admin() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let word = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or("0");
    u64::from_str_radix(word.trim(), 16).unwrap_or(0) >> CAP_SYS_ADMIN & 1 == 1
}

/// Installs packages with apt, showing what it does.
pub fn install(packages: &[&str]) -> Result<(), String> {
    println!("installing {}", packages.join(", "));
    let apt = |arguments: &[&str]| {
        let status =
            Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
        status.is_ok_and(|status| status.success())
    };
    let install = [&["install", "-y", "-qq", "--no-install-recommends"], packages].concat();
    match apt(&install) || (apt(&["update", "-qq"]) && apt(&install)) {
        true => Ok(()),
        false => Err(format!("apt-get could not install them: install {} by hand", packages.join(", "))),
    }
}
