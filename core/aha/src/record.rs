//! Records: what a program reads about one occurrence, line by line. Whatever a program or a file is called, it forges no line.

use crate::producer::{Origin, Producer, Stack};
use crate::registration::Level;
use phalanx_types::limits::AHA_INFO_BYTES_MAX;
use std::fmt::Write;

/// What stands where AIX has the kernel's stack: Linux tells no program what another's kernel stack was. It has the shape of a
/// frame, so that who reads frames reads on.
pub const STACK_FRAME: &str = "no_kernel_stack_on_linux+0";

/// A moment on the clock that people set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds.
    pub nanoseconds: u32,
}

/// The process that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its number.
    pub process: u32,
    /// Its user.
    pub user: u32,
    /// The user who logged in.
    pub login: u32,
    /// Its group.
    pub group: u32,
    /// The program that it runs.
    pub program: String,
}

/// Something happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When.
    pub at: Moment,
    /// What, in the producer's numbers.
    pub code: i32,
    /// Who did it, if that is known.
    pub cause: Option<Cause>,
    /// What the producer has to say, a line each.
    pub info: Vec<String>,
}

/// The record of an occurrence, for who asked `producer` for so much.
pub(crate) fn told(
    producer: Producer,
    level: Level,
    sequence: u64,
    value: Option<u64>,
    what: &Occurrence,
) -> String {
    let mut record = opening(what.at, sequence);
    if let (Origin::Process, Some(cause)) = (producer.origin(), &what.cause) {
        let Cause { process, user, login, group, program } = cause;
        line(&mut record, "PID", process);
        line(&mut record, "UID", user);
        line(&mut record, "UID_LOGIN", login);
        line(&mut record, "GID", group);
        line(&mut record, "PROG_NAME", &plain(program, AHA_INFO_BYTES_MAX / 2));
    }
    if let Some(value) = value {
        line(&mut record, "CURRENT_VALUE", &value);
    }
    line(&mut record, "RC_FROM_EVPROD", &what.code);
    if !what.info.is_empty() && (level >= Level::Producer || producer.origin() == Origin::Interrupt) {
        info(&mut record, &what.info);
    }
    if level == Level::Stack && producer.stack() == Stack::Traced {
        record += "STACK_TRACE\n";
        record += STACK_FRAME;
        record += "\n";
    }
    record + "END_EVENT_INFO\n"
}

/// The record of what the producer said to a registration: nothing but when and what, whatever was asked for.
pub(crate) fn verdict(at: Moment, sequence: u64, code: i32) -> String {
    let mut record = opening(at, sequence);
    line(&mut record, "RC_FROM_EVPROD", &code);
    record + "END_EVENT_INFO\n"
}

fn opening(at: Moment, sequence: u64) -> String {
    let mut record = "BEGIN_EVENT_INFO\n".to_owned();
    line(&mut record, "TIME_tvsec", &at.seconds);
    line(&mut record, "TIME_tvnsec", &at.nanoseconds);
    line(&mut record, "SEQUENCE_NUM", &sequence);
    record
}

fn line(record: &mut String, key: &str, value: &impl std::fmt::Display) {
    writeln!(record, "{key}={value}").expect("writing to memory does not fail");
}

fn info(record: &mut String, lines: &[String]) {
    *record += "BEGIN_EVPROD_INFO\n";
    let mut room = AHA_INFO_BYTES_MAX;
    for text in lines {
        let text = plain(text, room);
        room = room.saturating_sub(text.len() + 1);
        *record += &text;
        *record += "\n";
    }
    *record += "END_EVPROD_INFO\n";
}

/// At most `bytes_max` of `text`, control characters written out: none of them ends a line.
fn plain(text: &str, bytes_max: usize) -> String {
    let mut plain = String::new();
    for one in text.chars() {
        let written = match one.is_control() {
            true => one.escape_default().to_string(),
            false => one.to_string(),
        };
        if plain.len() + written.len() > bytes_max {
            break;
        }
        plain += &written;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(producer: Producer, level: Level, expected: &str) {
        let at = Moment { seconds: 1_269_863_383, nanoseconds: 455_993_143 };
        let cause = Cause { process: 6_947_038, user: 0, login: 4, group: 1, program: "cat".into() };
        let info = vec!["a message of the producer".into()];
        let what = Occurrence { at, code: 1000, cause: Some(cause), info };
        let record = told(producer, level, 7, None, &what);
        let known = ["BEGIN_EVENT_INFO", "TIME_tvsec=1269863383", "TIME_tvnsec=455993143", "SEQUENCE_NUM=7"];
        assert_eq!(record, known.join("\n") + "\n" + expected + "END_EVENT_INFO\n");
    }

    const WHO: &str = "PID=6947038\nUID=0\nUID_LOGIN=4\nGID=1\nPROG_NAME=cat\n";
    const WHAT: &str = "RC_FROM_EVPROD=1000\n";
    const INFO: &str = "BEGIN_EVPROD_INFO\na message of the producer\nEND_EVPROD_INFO\n";
    const STACK: &str = "STACK_TRACE\nno_kernel_stack_on_linux+0\n";

    #[test]
    fn each_level_says_more() {
        check(Producer::ModFile, Level::Generic, &[WHO, WHAT].concat());
        check(Producer::ModFile, Level::Producer, &[WHO, WHAT, INFO].concat());
        check(Producer::ModFile, Level::Stack, &[WHO, WHAT, INFO, STACK].concat());
        check(Producer::UtilFs, Level::Stack, &[WHO, WHAT, INFO].concat());
    }

    #[test]
    fn what_nobody_did_names_nobody_and_is_explained_at_every_level() {
        check(Producer::PidProcessMon, Level::Generic, &[WHAT, INFO].concat());
        check(Producer::PidProcessMon, Level::Stack, &[WHAT, INFO].concat());
    }
}
