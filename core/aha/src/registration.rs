//! Registrations: what a program writes into a monitor file, `KEY=VALUE;KEY=VALUE`, parsed into what cannot be wrong.
//!
//! Keys and values are as AIX documents them, in capitals. Blanks and line ends around each are forgiven, as are empty pieces and
//! what a C program writes behind its text with the terminating zero.

use crate::errno::Errno;
use crate::threshold::Thresholds;
use phalanx_types::limits::{
    AHA_BUFFER_BYTES_DEFAULT, AHA_BUFFER_BYTES_MAX, AHA_NOTIFY_COUNT_MAX, AHA_REGISTRATION_BYTES_MAX,
};
use std::collections::BTreeMap;
use std::fmt;

/// What a program wants to hear, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Of which occurrences.
    pub when: When,
    /// Where it waits for them.
    pub wait: Wait,
    /// How much each record says.
    pub level: Level,
    /// How many of them end a wait.
    pub count: Count,
    /// Bytes of records that are kept for it.
    pub buffer_bytes: usize,
    /// Whose occurrences.
    pub reach: Reach,
}

/// Which occurrences are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Each change.
    Changed,
    /// Whenever a threshold is reached.
    Reached(Thresholds),
}

/// Where a program waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In select() or poll(); read() never blocks.
    InSelect,
    /// In read().
    InRead,
}

/// How much a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// When, who and what.
    Generic,
    /// What the producer itself has to say besides.
    Producer,
    /// A stack trace besides.
    Stack,
}

/// How many occurrences end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Each one, until the file is closed.
    Every,
    /// So many; after that nothing is noticed before the next wait begins.
    After(u16),
}

/// Whose occurrences are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of this node.
    Node,
    /// Those of all nodes that monitor the same object.
    Cluster,
}

/// What can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `YES`.
    Changed,
    /// A positive number.
    ThresholdHigh,
    /// A positive number.
    ThresholdLow,
    /// `WAIT_IN_SELECT` or `WAIT_IN_READ`.
    WaitType,
    /// 1, 2 or 3.
    InfoLevel,
    /// -1, or 1 to 32767.
    NotifyCount,
    /// Bytes.
    BufferSize,
    /// `YES`.
    Cluster,
}

/// Why a text is no registration. Nothing changed for who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Longer than any registration.
    TooLong,
    /// Not even text.
    NotText,
    /// A piece is no `KEY=VALUE`.
    NoValue(String),
    /// There is no such key.
    UnknownKey(String),
    /// A key is given twice.
    Twice(Key),
    /// A key cannot have this value.
    BadValue(Key, String),
    /// Neither `CHANGED` nor a threshold is given.
    NoTrigger,
    /// `CHANGED` and a threshold are given.
    TwoTriggers,
    /// The high threshold is not above the low one.
    NoRoom,
    /// The producer has no thresholds.
    NoThresholds,
    /// The producer has nothing but thresholds.
    OnlyThresholds,
    /// The producer cannot tell of other nodes.
    OnlyHere,
}

impl Key {
    /// All of them.
    pub const ALL: &[Key] = &[
        Key::Changed,
        Key::ThresholdHigh,
        Key::ThresholdLow,
        Key::WaitType,
        Key::InfoLevel,
        Key::NotifyCount,
        Key::BufferSize,
        Key::Cluster,
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Key::Changed => "CHANGED",
            Key::ThresholdHigh => "THRESH_HI",
            Key::ThresholdLow => "THRESH_LO",
            Key::WaitType => "WAIT_TYPE",
            Key::InfoLevel => "INFO_LVL",
            Key::NotifyCount => "NOTIFY_CNT",
            Key::BufferSize => "BUF_SIZE",
            Key::Cluster => "CLUSTER",
        }
    }

    fn values(self) -> String {
        match self {
            Key::Changed | Key::Cluster => "YES".into(),
            Key::ThresholdHigh | Key::ThresholdLow => "a positive number".into(),
            Key::WaitType => "WAIT_IN_SELECT or WAIT_IN_READ".into(),
            Key::InfoLevel => "1, 2 or 3".into(),
            Key::NotifyCount => format!("-1 or 1 to {AHA_NOTIFY_COUNT_MAX}"),
            Key::BufferSize => format!("1 to {AHA_BUFFER_BYTES_MAX}"),
        }
    }
}

impl Registration {
    /// Reads what was written in one piece.
    pub fn parse(text: &[u8]) -> Result<Registration, Fault> {
        if text.len() > AHA_REGISTRATION_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let text = str::from_utf8(text).map_err(|_| Fault::NotText)?.trim_end_matches('\0');
        let pieces = text.split(';').map(str::trim).filter(|piece| !piece.is_empty());
        let mut given = Given::default();
        pieces.into_iter().try_for_each(|piece| given.take(piece))?;
        given.check()
    }
}

/// As it would be written, all keys named.
impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Changed => write!(f, "CHANGED=YES")?,
            When::Reached(thresholds) => write!(f, "{thresholds}")?,
        }
        let wait = match self.wait {
            Wait::InSelect => "WAIT_IN_SELECT",
            Wait::InRead => "WAIT_IN_READ",
        };
        let level = self.level as u8 + 1;
        write!(f, ";WAIT_TYPE={wait};INFO_LVL={level}")?;
        match self.count {
            Count::Every => write!(f, ";NOTIFY_CNT=-1")?,
            Count::After(count) => write!(f, ";NOTIFY_CNT={count}")?,
        }
        write!(f, ";BUF_SIZE={}", self.buffer_bytes)?;
        match self.reach {
            Reach::Node => Ok(()),
            Reach::Cluster => write!(f, ";CLUSTER=YES"),
        }
    }
}

/// What was given so far.
#[derive(Default)]
struct Given<'a>(BTreeMap<Key, &'a str>);

impl<'a> Given<'a> {
    fn take(&mut self, piece: &'a str) -> Result<(), Fault> {
        let (name, value) = piece.split_once('=').ok_or_else(|| Fault::NoValue(piece.to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        let key = Key::ALL.iter().find(|key| key.name() == name);
        let key = *key.ok_or_else(|| Fault::UnknownKey(name.to_owned()))?;
        match self.0.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(Fault::Twice(key)),
        }
    }

    fn check(&self) -> Result<Registration, Fault> {
        Ok(Registration {
            when: self.when()?,
            wait: self.one_of(
                Key::WaitType,
                &[("WAIT_IN_SELECT", Wait::InSelect), ("WAIT_IN_READ", Wait::InRead)],
            )?,
            level: self.one_of(
                Key::InfoLevel,
                &[("1", Level::Generic), ("2", Level::Producer), ("3", Level::Stack)],
            )?,
            count: self.count()?,
            buffer_bytes: match self.number(Key::BufferSize, AHA_BUFFER_BYTES_MAX as u64)? {
                None => AHA_BUFFER_BYTES_DEFAULT,
                Some(bytes) => bytes as usize,
            },
            reach: match self.yes(Key::Cluster)? {
                None => Reach::Node,
                Some(()) => Reach::Cluster,
            },
        })
    }

    fn when(&self) -> Result<When, Fault> {
        let high = self.number(Key::ThresholdHigh, u64::MAX)?;
        let low = self.number(Key::ThresholdLow, u64::MAX)?;
        match (self.yes(Key::Changed)?, high.or(low)) {
            (None, None) => Err(Fault::NoTrigger),
            (Some(()), Some(_)) => Err(Fault::TwoTriggers),
            (Some(()), None) => Ok(When::Changed),
            (None, Some(_)) => Thresholds::new(high, low).map(When::Reached).ok_or(Fault::NoRoom),
        }
    }

    fn count(&self) -> Result<Count, Fault> {
        match self.0.get(&Key::NotifyCount) {
            None | Some(&"-1") => Ok(Count::Every),
            Some(_) => {
                let count = self.number(Key::NotifyCount, u64::from(AHA_NOTIFY_COUNT_MAX))?;
                Ok(Count::After(count.expect("it was just seen") as u16))
            }
        }
    }

    fn yes(&self, key: Key) -> Result<Option<()>, Fault> {
        match self.0.get(&key) {
            None => Ok(None),
            Some(&"YES") => Ok(Some(())),
            Some(value) => Err(Fault::BadValue(key, (*value).to_owned())),
        }
    }

    /// The first of `values` where none is given.
    fn one_of<T: Copy>(&self, key: Key, values: &[(&str, T)]) -> Result<T, Fault> {
        let Some(value) = self.0.get(&key) else { return Ok(values[0].1) };
        let found = values.iter().find(|(name, _)| name == value).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| Fault::BadValue(key, (*value).to_owned()))
    }

    fn number(&self, key: Key, max: u64) -> Result<Option<u64>, Fault> {
        let Some(value) = self.0.get(&key) else { return Ok(None) };
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| digits && (1..=max).contains(number));
        number.map(Some).ok_or_else(|| Fault::BadValue(key, (*value).to_owned()))
    }
}

impl Fault {
    /// What the write fails with.
    pub fn errno(&self) -> Errno {
        match self {
            Fault::TooLong
            | Fault::NotText
            | Fault::NoValue(_)
            | Fault::UnknownKey(_)
            | Fault::Twice(_)
            | Fault::BadValue(..)
            | Fault::NoTrigger
            | Fault::TwoTriggers
            | Fault::NoRoom
            | Fault::NoThresholds
            | Fault::OnlyThresholds => Errno::INVALID,
            Fault::OnlyHere => Errno::NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLong => write!(f, "longer than {AHA_REGISTRATION_BYTES_MAX} bytes"),
            Fault::NotText => write!(f, "no text"),
            Fault::NoValue(piece) => write!(f, "{piece:?} is no KEY=VALUE"),
            Fault::UnknownKey(name) => write!(f, "there is no key {name:?}"),
            Fault::Twice(key) => write!(f, "{} is given twice", key.name()),
            Fault::BadValue(key, value) => write!(f, "{} is {value:?}, not {}", key.name(), key.values()),
            Fault::NoTrigger => write!(f, "neither CHANGED nor THRESH_HI nor THRESH_LO is given"),
            Fault::TwoTriggers => write!(f, "CHANGED does not go with THRESH_HI or THRESH_LO"),
            Fault::NoRoom => write!(f, "THRESH_HI is not above THRESH_LO"),
            Fault::NoThresholds => write!(f, "this producer has no thresholds, only CHANGED"),
            Fault::OnlyThresholds => write!(f, "this producer has only thresholds"),
            Fault::OnlyHere => write!(f, "this producer tells of this node only"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = Registration::parse(text.as_bytes()).map(|registration| registration.to_string());
        assert_eq!(told.unwrap_or_else(|fault| fault.to_string()), expected, "{text}");
    }

    const DEFAULTS: &str = "CHANGED=YES;WAIT_TYPE=WAIT_IN_SELECT;INFO_LVL=1;NOTIFY_CNT=-1;BUF_SIZE=2048";

    #[test]
    fn what_is_not_given_is_as_documented() {
        check("CHANGED=YES", DEFAULTS);
        check(";CHANGED=YES;\n", DEFAULTS);
        check("CHANGED=YES\0", DEFAULTS);
        check(DEFAULTS, DEFAULTS);
        let low =
            "THRESH_LO=1;WAIT_TYPE=WAIT_IN_READ;INFO_LVL=3;NOTIFY_CNT=32767;BUF_SIZE=1048576;CLUSTER=YES";
        check(low, low);
    }

    #[test]
    fn who_asks_wrongly_is_told_what_was_wrong() {
        check("", "neither CHANGED nor THRESH_HI nor THRESH_LO is given");
        check("INFO_LVL=1", "neither CHANGED nor THRESH_HI nor THRESH_LO is given");
        check("CHANGED=YES;THRESH_LO=1", "CHANGED does not go with THRESH_HI or THRESH_LO");
        check("THRESH_HI=5;THRESH_LO=5", "THRESH_HI is not above THRESH_LO");
        check("CHANGED", "\"CHANGED\" is no KEY=VALUE");
        check("changed=YES", "there is no key \"changed\"");
        check("CHANGED=YES;CHANGED=YES", "CHANGED is given twice");
        check("CHANGED=NO", "CHANGED is \"NO\", not YES");
        check("THRESH_HI=0", "THRESH_HI is \"0\", not a positive number");
        check("THRESH_HI=+5", "THRESH_HI is \"+5\", not a positive number");
        check(
            "THRESH_HI=18446744073709551616",
            "THRESH_HI is \"18446744073709551616\", not a positive number",
        );
        check("CHANGED=YES;INFO_LVL=4", "INFO_LVL is \"4\", not 1, 2 or 3");
        check("CHANGED=YES;WAIT_TYPE=", "WAIT_TYPE is \"\", not WAIT_IN_SELECT or WAIT_IN_READ");
        check("CHANGED=YES;NOTIFY_CNT=0", "NOTIFY_CNT is \"0\", not -1 or 1 to 32767");
        check("CHANGED=YES;NOTIFY_CNT=32768", "NOTIFY_CNT is \"32768\", not -1 or 1 to 32767");
        check("CHANGED=YES;NOTIFY_CNT=-2", "NOTIFY_CNT is \"-2\", not -1 or 1 to 32767");
        check("CHANGED=YES;BUF_SIZE=1048577", "BUF_SIZE is \"1048577\", not 1 to 1048576");
        check("CHANGED=YES;CLUSTER=NO", "CLUSTER is \"NO\", not YES");
        check(&"x".repeat(AHA_REGISTRATION_BYTES_MAX + 1), "longer than 1024 bytes");
        assert_eq!(Registration::parse(b"CHANGED=YES\xff"), Err(Fault::NotText));
    }
}
