//! How each type of value is read: flags, numbers, durations, words, names, addresses, paths, commands.
//! Looks at one value at a time; never at how values fit together.

use crate::address::AddressError;
use crate::cluster::{Address, Command};
use crate::duration::{self, DurationError};
use crate::fault::{FaultId, Refused, quoted};
use crate::keys::Kind;
use crate::suggest;
use crate::table::{Read, Value, name_remedy};
use crate::words::Word;
use phalanx_types::limits::{ARGUMENTS_MAX, DURATION_MAX, MOUNT_OPTIONS_MAX};
use phalanx_types::{NetworkName, NodeName, Span};
use std::net::IpAddr;
use toml::de::DeValue;

impl Read for bool {
    fn read(value: &Value) -> Result<bool, Refused> {
        value.data.as_bool().ok_or_else(|| value.wrong_type("`true` or `false`"))
    }
}

impl Read for u32 {
    fn read(value: &Value) -> Result<u32, Refused> {
        let Kind::Number { min, max } = value.key.kind else { unreachable!("{} is no number", value.label) };
        let DeValue::Integer(number) = value.data else { return Err(value.wrong_type("a whole number")) };
        let parsed = u32::from_str_radix(number.as_str(), number.radix()).ok();
        parsed.filter(|number| (min..=max).contains(number)).ok_or_else(|| {
            let what = format!("{} {} is out of range", value.label, number.as_str());
            value.refuse(FaultId::NumberRange, &what, format!("use a number from {min} to {max}"))
        })
    }
}

impl Read for Span {
    fn read(value: &Value) -> Result<Span, Refused> {
        let text = value.text("a duration in quotes")?;
        duration::parse(text).map_err(|error| match error {
            DurationError::Malformed => {
                let what = format!("{} {} is not a duration", value.label, quoted(text));
                value.refuse(
                    FaultId::BadDuration,
                    &what,
                    "write a whole number and ms, s, m or h, such as \"10s\"",
                )
            }
            DurationError::OutOfRange => {
                let what = format!("{} {} is out of range", value.label, quoted(text));
                let longest = duration::print(DURATION_MAX);
                value.refuse(
                    FaultId::DurationRange,
                    &what,
                    format!("use a duration from \"1ms\" to {longest:?}"),
                )
            }
        })
    }
}

impl<W: Word> Read for W {
    fn read(value: &Value) -> Result<W, Refused> {
        let text = value.text("a word in quotes")?;
        W::of(text).ok_or_else(|| refuse_word::<W>(value, text))
    }
}

fn refuse_word<W: Word>(value: &Value, text: &str) -> Refused {
    let words: Vec<&str> = W::WORDS.iter().map(|(_, choice)| choice.word).collect();
    let listed = listed(&words);
    if W::is_later(text) {
        let what = format!("{} {} is not in this version yet", value.label, quoted(text));
        return value.refuse(FaultId::LaterWord, &what, format!("use {listed}"));
    }
    let remedy = match suggest::nearest(text, words) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("use {listed}"),
    };
    value.refuse(FaultId::UnknownWord, &format!("{} {} is not known", value.label, quoted(text)), remedy)
}

/// `words` as a sentence has them: `"a", "b" or "c"`.
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

impl Read for NodeName {
    fn read(value: &Value) -> Result<NodeName, Refused> {
        let text = value.text("a name in quotes")?;
        text.parse().map_err(|error| {
            let what = format!("{} {} is not a valid name: {error}", value.label, quoted(text));
            value.refuse(FaultId::BadName, &what, name_remedy::<NetworkName>(text))
        })
    }
}

impl Read for IpAddr {
    fn read(value: &Value) -> Result<IpAddr, Refused> {
        let text = value.text("an address in quotes, or a list of addresses")?;
        text.parse().map_err(|_| {
            let what = format!("{} is not an address", quoted(text));
            let remedy = match text.parse::<Address>() {
                Ok(long) => format!("write it without the prefix: \"{}\"", long.address),
                Err(AddressError) => "write it as \"10.11.0.1\" or \"fd00:11::1\"".into(),
            };
            value.refuse(FaultId::BadAddress, &what, remedy)
        })
    }
}

impl Read for Address {
    fn read(value: &Value) -> Result<Address, Refused> {
        let text = value.text("an address with its prefix, in quotes")?;
        text.parse().map_err(|AddressError| {
            let what = format!("{} {} is not an address with its prefix", value.label, quoted(text));
            value.refuse(FaultId::BadAddress, &what, format!("write it as {}", value.key.example))
        })
    }
}

/// An absolute path in its plain form.
pub(crate) struct Path(pub(crate) String);

impl Read for Path {
    fn read(value: &Value) -> Result<Path, Refused> {
        let text = value.text("an absolute path in quotes")?;
        match path_fault(text) {
            None => Ok(Path(text.to_owned())),
            Some((fault, remedy)) => {
                let what = format!("{} {} {fault}", value.label, quoted(text));
                Err(value.refuse(FaultId::BadPath, &what, remedy))
            }
        }
    }
}

/// What keeps `text` from being an absolute path in its plain form, and what to do about it.
fn path_fault(text: &str) -> Option<(&'static str, String)> {
    let parts = || text.split('/').skip(1);
    if !text.starts_with('/') {
        Some(("is not an absolute path", "begin it with \"/\"".into()))
    } else if parts().any(|part| part == "..") {
        Some(("has \"..\" in it", "write the path without \"..\"".into()))
    } else if text != "/" && parts().any(|part| part.is_empty() || part == ".") {
        let kept: Vec<_> = parts().filter(|part| !part.is_empty() && *part != ".").collect();
        Some(("is not in its plain form", format!("write {}", quoted(&format!("/{}", kept.join("/"))))))
    } else {
        None
    }
}

impl Read for Command {
    fn read(value: &Value) -> Result<Command, Refused> {
        if let DeValue::String(line) = value.data {
            return Err(refuse_line(value, line));
        }
        let items = value.items(COMMAND)?;
        limited(value, items.len(), ARGUMENTS_MAX)?;
        let words: Vec<_> =
            items.iter().map(|item| item.text("a list of texts").map(str::to_owned)).collect();
        let words = words.into_iter().collect::<Result<Vec<String>, Refused>>()?;
        let Some((program, item)) = words.first().zip(items.first()) else {
            let what = format!("{} names no program", value.label);
            return Err(value.refuse(
                FaultId::BadCommand,
                &what,
                format!("write for example {}", value.key.example),
            ));
        };
        check_program(item, program)?;
        Ok(Command(words))
    }
}

const COMMAND: &str = "a list of a program and its arguments";

/// Refuses a command written as a shell would take it, and shows how to write it.
fn refuse_line(value: &Value, line: &str) -> Refused {
    const SHOWN_MAX: usize = 10;
    let words: Vec<&str> = line.split_whitespace().take(SHOWN_MAX).collect();
    let what = format!("{} must be {COMMAND}, not one text", value.label);
    value.refuse(FaultId::BadCommand, &what, format!("no shell reads it: write {words:?}"))
}

fn check_program(value: &Value, program: &str) -> Result<(), Refused> {
    let plain_path = program.starts_with('/') && program != "/" && path_fault(program).is_none();
    let special = matches!(program, "" | "." | "..") || program.starts_with('-');
    let bare_name = !program.contains(|c: char| c == '/' || c.is_whitespace()) && !special;
    if plain_path || bare_name {
        return Ok(());
    }
    let what =
        format!("{}: program {} is neither an absolute path nor a bare name", value.label, quoted(program));
    Err(value.refuse(
        FaultId::BadProgram,
        &what,
        "write \"/usr/local/bin/shop\" or \"shop\", and each argument as a text of its own",
    ))
}

/// Mount options.
pub(crate) struct Options(pub(crate) Vec<String>);

impl Read for Options {
    fn read(value: &Value) -> Result<Options, Refused> {
        let items = value.items("a list of mount options")?;
        limited(value, items.len(), MOUNT_OPTIONS_MAX)?;
        let options: Vec<_> = items.iter().map(mount_option).collect();
        refuse_repeated(&items, &options);
        options.into_iter().collect::<Result<_, _>>().map(Options)
    }
}

fn mount_option(value: &Value) -> Result<String, Refused> {
    let text = value.text("a list of texts")?;
    if text.is_empty() || text.contains(|c: char| c == ',' || c.is_whitespace()) {
        let what = format!("mount option {} is not one option", quoted(text));
        return Err(value.refuse(FaultId::BadOption, &what, "write each option as a text of its own"));
    }
    Ok(text.to_owned())
}

/// Refuses a list that is longer than `max`.
pub(crate) fn limited(value: &Value, count: usize, max: usize) -> Result<(), Refused> {
    if count <= max {
        return Ok(());
    }
    let what = format!("{} has {count} entries", value.label);
    Err(value.refuse(FaultId::TooMany, &what, format!("this version takes at most {max}")))
}

/// Refuses each of `items` whose text, read as `texts`, stood there before.
pub(crate) fn refuse_repeated<T: Ord>(items: &[Value], texts: &[Result<T, Refused>]) {
    let mut seen = std::collections::BTreeSet::new();
    for (item, text) in items.iter().zip(texts) {
        if let Ok(text) = text
            && !seen.insert(text)
        {
            let shown = item.data.as_str().unwrap_or_default();
            let what = format!("{} has {} twice", item.label, quoted(shown));
            item.refuse(FaultId::Twice, &what, "remove one of the two");
        }
    }
}
