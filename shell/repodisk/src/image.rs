//! A disk for whoever has nothing else to do than wait for it: a command of an operator.

use crate::device::Device;
use crate::disk::{Disk, Done, Fault, Job};
use phalanx_host::clock::{now, remaining, timespec};
use phalanx_repository::{Act, SECTOR_BYTES, SectorBytes, Source, Unreadable};
use phalanx_types::Span;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;

/// A disk, one read or write after the other.
#[derive(Debug)]
pub struct Image {
    disk: Disk,
    sectors: u64,
    limit: Span,
}

impl Image {
    /// Takes over a device. Each read and write may take up to `limit`.
    pub fn new(device: Device, limit: Span) -> io::Result<Image> {
        let sectors = device.bytes() / SECTOR_BYTES as u64;
        Ok(Image { disk: Disk::start(device)?, sectors, limit })
    }

    /// Has something done, and waits until it is or its time is up.
    pub fn run(&mut self, job: Job) -> Result<Done, Fault> {
        self.disk.ask(job, now() + self.limit)?;
        loop {
            if let Some((_, outcome)) = self.disk.hear(now()) {
                return outcome;
            }
            let pause = timespec(remaining(self.disk.wake_at()));
            // Whether it rang or the time is up is seen when it is heard again.
            let _ = poll(&mut [PollFd::new(&self.disk, PollFlags::IN)], Some(&pause));
        }
    }

    /// Carries out what is to be done, in order; the first fault ends it.
    pub fn carry_out(&mut self, acts: impl IntoIterator<Item = Act>) -> Result<(), Fault> {
        for act in acts {
            match act {
                Act::Write(place, bytes) => self.run(Job::Write { place, bytes })?,
                Act::Sync => self.run(Job::Sync)?,
            };
        }
        Ok(())
    }

    /// Whether a read or write was not done in time.
    pub fn is_given_up(&self) -> bool {
        self.disk.is_given_up()
    }
}

impl Source for Image {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        match self.run(Job::Read { place, sectors: 1 }) {
            Ok(Done::Read(mut sectors)) => sectors.pop().ok_or(Unreadable),
            Ok(Done::Written) | Err(_) => Err(Unreadable),
        }
    }
}
