//! The record of what happened: one JSON object a line, in files of bounded number and size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// When the next file is begun.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files that are kept, the one being written included.
const FILES_MAX: usize = 4;

/// A log that is appended to.
pub struct EventLog {
    directory: PathBuf,
    file: File,
    bytes: u64,
}

impl EventLog {
    /// Opens the log in a directory, at its end.
    pub fn open(directory: &Path) -> io::Result<EventLog> {
        let file = append(&path(directory, 0))?;
        let bytes = file.metadata()?.len();
        Ok(EventLog { directory: directory.to_owned(), file, bytes })
    }

    /// Adds one line.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        if self.bytes >= FILE_BYTES_MAX {
            self.rotate()?;
        }
        let line = format!("{line}\n");
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (0..FILES_MAX - 1).rev() {
            let (from, to) = (path(&self.directory, age), path(&self.directory, age + 1));
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        self.file = append(&path(&self.directory, 0))?;
        self.bytes = 0;
        Ok(())
    }
}

/// The last lines of the log in a directory, oldest first.
pub fn last_lines(directory: &Path, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for age in 0..FILES_MAX {
        let Ok(file) = File::open(path(directory, age)) else { break };
        let mut older: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
        older.append(&mut lines);
        lines = older;
        if lines.len() >= count {
            break;
        }
    }
    lines.split_off(lines.len().saturating_sub(count))
}

fn path(directory: &Path, age: usize) -> PathBuf {
    match age {
        0 => directory.join("events.jsonl"),
        older => directory.join(format!("events.{older}.jsonl")),
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
