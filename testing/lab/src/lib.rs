//! Hosts on one machine: namespaces that boot, crash, freeze and lose their networks and disks; and the demo on them.
//!
//! Everything happens on a stage: mount, network and PID namespaces of the program's own, so that whatever it started ends
//! with it, however it ends. What a namespace cannot hold (loop devices, control groups) is put away by [`stage::clear`].
#![forbid(unsafe_code)]

pub mod bench;
pub mod client;
pub mod demo;
pub mod disk;
pub mod host;
pub mod keep;
pub mod outage;
pub mod parts;
pub mod preflight;
pub mod report;
pub mod sampler;
pub mod site;
pub mod stage;
pub mod tool;
pub mod visit;
