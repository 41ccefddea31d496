//! File systems against the real kernel, on loop devices in namespaces of the story's own.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_exec::{Cgroup, Clearance, Identity, Permits};
use phalanx_host::now;
use phalanx_model::{FileSystem, Format};
use phalanx_sandbox::{CgroupGuard, Disk, SCRATCH, alone, eventually, shell, try_shell};
use phalanx_storage::{Manner, MountError, Mounting, State, UnmountError, mount, state, unmount};
use phalanx_types::{NodeId, OwnershipEpoch, Permit, Span, Tick, ViewId};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const VIEW: ViewId = ViewId { counter: 4, coordinator: NodeId(1) };

fn on(disk: &Disk) -> FileSystem {
    FileSystem {
        device: disk.device().to_str().unwrap().into(),
        mount: format!("{SCRATCH}/srv/shop"),
        format: Format::Ext4,
        options: vec!["noatime".into()],
    }
}

/// A file system and whatever a mount needs, with a lease until `lease`.
fn with_file_system(story: impl FnOnce(&FileSystem)) {
    alone(|| {
        let disk = Disk::ext4("shop", 8);
        story(&on(&disk));
    });
}

fn mount_until(file_system: &FileSystem, lease: Tick) -> Result<(), MountError> {
    let cgroup = Cgroup::root(&format!("phalanx-test-{}", now().0)).unwrap();
    let _guard = CgroupGuard(cgroup.path());
    let [cluster, node, group, resource] = ["demo", "ada", "shop", "data"].map(String::from);
    let identity = Identity { cluster, node, group, resource, epoch: OwnershipEpoch(9), view: VIEW };
    let permits = Permits::none();
    permits.publish(VIEW, lease);
    let clearance = Clearance::new(&permits, Permit { view: VIEW, valid_until: lease });
    let (clearance, cgroup, identity) = (&clearance, &cgroup.child("data"), &identity);
    mount(file_system, Mounting { clearance, cgroup, identity, deadline: now() + Span::from_secs(20) })
}

fn mount_now(file_system: &FileSystem) -> Result<(), MountError> {
    mount_until(file_system, now() + Span::from_secs(60))
}

fn unmount_within(file_system: &FileSystem, manner: Manner, millis: u64) -> Result<(), UnmountError> {
    unmount(file_system, manner, now() + Span::from_millis(millis))
}

/// A process of the shell's that has said that it is ready.
fn user(script: &str) -> Child {
    let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    child
}

#[test]
fn it_is_mounted_and_let_go_of() {
    with_file_system(|shop| {
        assert_eq!(state(shop).unwrap(), State::Unmounted);
        for _ in 0..2 {
            mount_now(shop).unwrap();
            assert_eq!(state(shop).unwrap(), State::Mounted);
        }
        assert!(shell("cat /proc/mounts").lines().any(|line| line.contains("/srv/shop ext4 rw,noatime")));
        for _ in 0..2 {
            unmount_within(shop, Manner::Orderly, 5_000).unwrap();
            assert_eq!(state(shop).unwrap(), State::Unmounted);
        }
    });
}

#[test]
fn nothing_is_mounted_without_a_lease() {
    with_file_system(|shop| {
        for lease in [Tick::ZERO, now()] {
            assert!(matches!(mount_until(shop, lease), Err(MountError::Stale)));
            assert_eq!(state(shop).unwrap(), State::Unmounted);
        }
    });
}

#[test]
fn it_is_known_by_its_device_not_by_its_name() {
    with_file_system(|shop| {
        mount_now(shop).unwrap();
        let link = format!("{SCRATCH}/disk");
        std::os::unix::fs::symlink(&shop.device, &link).unwrap();
        let other = Disk::ext4("other", 8);
        let same = FileSystem { device: link, ..shop.clone() };
        let stranger = FileSystem { device: on(&other).device, ..shop.clone() };
        assert_eq!(state(&same).unwrap(), State::Mounted);
        assert_eq!(state(&stranger).unwrap(), State::Unmounted);
        let error = mount_now(&stranger).unwrap_err();
        assert!(error.to_string().ends_with("is mounted on /mnt/srv/shop already"), "{error}");
        let elsewhere = FileSystem { mount: format!("{SCRATCH}/there"), ..shop.clone() };
        assert_eq!(state(&elsewhere).unwrap(), State::Elsewhere(PathBuf::from("/mnt/srv/shop")));
        assert!(matches!(mount_now(&elsewhere), Err(MountError::InUse { .. })));
        unmount_within(&elsewhere, Manner::Orderly, 5_000).unwrap();
        assert_eq!(state(shop).unwrap(), State::Unmounted);
    });
}

#[test]
fn a_mount_in_another_namespace_is_seen() {
    with_file_system(|shop| {
        let hide = format!(
            "mkdir -p {0} && mount {1} {0} && echo ready && exec sleep 1000",
            shop.mount, shop.device
        );
        let mut other = Command::new("unshare")
            .args(["--mount", "sh", "-c", &hide])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the other has mounted it", || state(shop).unwrap() == State::Claimed);
        let error = mount_now(shop).unwrap_err();
        assert!(error.to_string().contains("is in use on this host"), "{error}");
        assert!(matches!(unmount_within(shop, Manner::Kill, 50), Err(UnmountError::StillClaimed { .. })));
        other.kill().unwrap();
        other.wait().unwrap();
        eventually("it is free again", || state(shop).unwrap() == State::Unmounted);
    });
}

fn check_user_ended(script: &str, manner: Manner, signal: i32) {
    with_file_system(|shop| {
        mount_now(shop).unwrap();
        let mut bystander = user("cd /mnt && echo ready && exec sleep 1000");
        let mut user = user(script);
        assert!(!try_shell(&format!("umount {}", shop.mount)).status.success(), "it is in use");
        unmount_within(shop, manner, 4_000).unwrap();
        assert_eq!(state(shop).unwrap(), State::Unmounted);
        let status = user.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal), "{script}");
        assert!(bystander.try_wait().unwrap().is_none(), "a bystander was harmed");
        bystander.kill().and_then(|()| bystander.wait()).unwrap();
    });
}

#[test]
fn one_who_stands_in_it_is_asked_to_go() {
    check_user_ended("cd /mnt/srv/shop && echo ready && exec sleep 1000", Manner::Orderly, 15);
}

#[test]
fn one_who_has_a_file_open_is_asked_to_go() {
    check_user_ended("exec 9>/mnt/srv/shop/file && echo ready && exec sleep 1000", Manner::Orderly, 15);
}

#[test]
fn one_who_runs_from_it_is_asked_to_go() {
    check_user_ended(
        "cp /bin/sleep /mnt/srv/shop && echo ready && exec /mnt/srv/shop/sleep 1000",
        Manner::Orderly,
        15,
    );
}

#[test]
fn one_who_does_not_go_is_killed() {
    check_user_ended(
        "cd /mnt/srv/shop; trap '' TERM; echo ready; while :; do sleep 0.1; done",
        Manner::Orderly,
        9,
    );
}

#[test]
fn when_it_is_urgent_nobody_is_asked() {
    check_user_ended("cd /mnt/srv/shop && echo ready && exec sleep 1000", Manner::Kill, 9);
}

#[test]
fn what_cannot_be_unmounted_is_detached_and_that_is_a_failure() {
    with_file_system(|shop| {
        mount_now(shop).unwrap();
        // We ourselves are never ended.
        let open = File::create(format!("{}/file", shop.mount)).unwrap();
        match unmount_within(shop, Manner::Kill, 50).unwrap_err() {
            UnmountError::Detached { point, .. } => assert_eq!(point, Path::new("/mnt/srv/shop")),
            error @ (UnmountError::StillClaimed { .. } | UnmountError::Failed { .. }) => panic!("{error}"),
        }
        assert_eq!(state(shop).unwrap(), State::Claimed, "it lives on, and that is seen");
        drop(open);
        eventually("it is free", || state(shop).unwrap() == State::Unmounted);
    });
}

#[test]
fn a_mount_below_is_named() {
    with_file_system(|shop| {
        mount_now(shop).unwrap();
        shell(&format!("mkdir {0}/below && mount -t tmpfs below {0}/below", shop.mount));
        let error = unmount_within(shop, Manner::Kill, 50).unwrap_err().to_string();
        assert!(error.contains("/mnt/srv/shop/below is mounted below it"), "{error}");
    });
}

#[test]
fn one_marked_for_a_check_is_checked_first() {
    with_file_system(|shop| {
        shell(&format!("tune2fs -E force_fsck {}", shop.device));
        let marked = || shell(&format!("dumpe2fs -h {} 2>/dev/null", shop.device)).contains("with errors");
        assert!(marked());
        mount_now(shop).unwrap();
        unmount_within(shop, Manner::Orderly, 5_000).unwrap();
        assert!(!marked(), "the check has mended it");
    });
}

#[test]
fn one_that_is_damaged_says_what_to_do() {
    with_file_system(|shop| {
        shell(&format!(
            "tune2fs -E force_fsck {0} && dd if=/dev/zero of={0} bs=1k seek=2 count=3000 conv=notrunc 2>&1",
            shop.device
        ));
        let error = mount_now(shop).unwrap_err().to_string();
        assert!(error.contains("e2fsck -p exited with code") && error.contains("by hand"), "{error}");
    });
}

#[test]
fn no_file_system_is_no_mount() {
    alone(|| {
        let disk = Disk::new("blank", 8);
        let error = mount_now(&on(&disk)).unwrap_err().to_string();
        assert!(error.starts_with("cannot mount /dev/loop") && error.contains("Invalid argument"), "{error}");
        let missing = FileSystem { device: "/dev/no-such-disk".into(), ..on(&disk) };
        assert_eq!(state(&missing).unwrap(), State::Unmounted);
        let error = mount_now(&missing).unwrap_err().to_string();
        assert_eq!(error, "cannot read /dev/no-such-disk: No such file or directory (os error 2)");
    });
}
