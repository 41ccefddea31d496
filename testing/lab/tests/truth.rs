//! The laboratory tells the truth: a crash loses what was not synced, and a planted double mount is seen.

use phalanx_lab::disk::{DiskPath, Image};
use phalanx_lab::host::Host;
use phalanx_lab::sampler::{Sampler, Target};
use phalanx_lab::tool::line;
use phalanx_lab::{preflight, stage};
use phalanx_sandbox::{SCRATCH, alone, eventually, shell};
use std::path::Path;

/// Hosts on a stage of the test's own; `None` where the machine lacks what a laboratory needs.
fn on_stage(story: impl FnOnce(&Path, &Image, &dyn Fn(&'static str, u8) -> Host)) {
    if let Some(obstacle) = preflight::obstacle() {
        return eprintln!("skipped: {obstacle}");
    }
    // Outside the sandbox's own folders, so that its loop devices can be told from those of other tests.
    let stage_number: String = std::fs::read_link("/proc/self/ns/net")
        .expect("the stage takes it")
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let work = std::env::temp_dir().join(format!("phalanx-truth-{stage_number}"));
    std::fs::create_dir_all(&work).expect("the stage takes it");
    for bridge in ["br-client", "br-back"] {
        line(&format!("ip link add {bridge} type bridge")).expect("the stage takes it");
        line(&format!("ip link set {bridge} up")).expect("the stage takes it");
    }
    let cgroups = stage::cgroup(&work).expect("the stage takes it");
    std::fs::create_dir_all(&cgroups).expect("the stage takes it");
    let image = Image::create(&work).expect("the stage takes it");
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        story(&work, &image, &|name, number| {
            Host::boot(name, number, &work, &cgroups).expect("the stage takes it")
        });
    }));
    stage::clear(&work);
    told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_crash_loses_what_was_not_synced_and_keeps_what_was() {
    alone(|| {
        on_stage(|_, image, boot| {
            let host = boot("ada", 1);
            let mut disk = DiskPath::lay(&host, image).unwrap();
            host.run("mount", &["/dev/phalanx/shop", "/srv/shop"]).unwrap();
            host.run(
                "sh",
                &["-c", "echo kept > /srv/shop/synced; sync -f /srv/shop; echo lost > /srv/shop/unsynced"],
            )
            .unwrap();
            disk.sever();
            host.crash();
            shell(&format!(
                "mkdir -p {SCRATCH}/look && mount -o loop {} {SCRATCH}/look",
                image.path().display()
            ));
            let files = shell(&format!("cat {SCRATCH}/look/synced; ls {SCRATCH}/look"));
            shell(&format!("umount {SCRATCH}/look"));
            assert!(files.contains("kept"), "{files}");
            assert!(!files.contains("unsynced"), "{files}");
        });
    });
}

#[test]
fn a_planted_double_mount_is_seen() {
    alone(|| {
        on_stage(|_, image, boot| {
            let hosts = [boot("ada", 1), boot("bob", 2)];
            let mut disks: Vec<DiskPath> =
                hosts.iter().map(|host| DiskPath::lay(host, image).unwrap()).collect();
            let sampler = Sampler::start("/srv/shop", "10.11.0.100");
            let target = |host: &Host| Target {
                name: host.name(),
                init: host.init(),
                cgroup: host.cgroup().join("groups"),
            };
            sampler.watch(hosts.iter().map(target).collect());
            hosts[0].run("mount", &["/dev/phalanx/shop", "/srv/shop"]).unwrap();
            eventually("some looks", || sampler.seen().looks > 10);
            assert!(sampler.seen().dual.is_empty());
            hosts[1].run("mount", &["/dev/phalanx/shop", "/srv/shop"]).unwrap();
            eventually("the double mount is seen", || !sampler.seen().dual.is_empty());
            assert!(sampler.seen().dual[0].contains("ada holds mount; bob holds mount"));
            disks.iter_mut().for_each(DiskPath::sever);
            hosts.into_iter().for_each(Host::crash);
        });
    });
}
