//! Reads and writes a repository disk on a thread of its own, each time with a deadline.
//!
//! A disk that hangs keeps its thread in the kernel, where nothing can end it. So nobody waits for that thread: what is not done by its
//! deadline is told as such, the disk is given up, and the thread ends by itself when the kernel lets it go. Never decides what is
//! written, nor what is to be believed of what is read.

mod device;
mod disk;
mod image;

pub use device::{Access, Cache, Device, OpenError};
pub use disk::{Disk, Done, Fault, Job, JobId};
pub use image::Image;
