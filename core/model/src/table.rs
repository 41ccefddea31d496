//! A table of the file and the values in it, each knowing where it stands and what people call it.
//! Checks keys and types; never what a value means.

use crate::fault::{FaultId, Notebook, Refused, quoted};
use crate::keys::{Key, Need, Section};
use crate::suggest;
use phalanx_types::NameError;
use phalanx_types::limits::TEXT_BYTES_MAX;
use std::ops::Range;
use std::str::FromStr;
use toml::de::{DeTable, DeValue};

/// Reads a value of the file, or writes down why it cannot.
pub(crate) trait Read: Sized {
    fn read(value: &Value) -> Result<Self, Refused>;
}

/// A table of the file.
pub(crate) struct Table<'a> {
    /// Which keys it may have.
    pub(crate) section: Section,
    /// What people call it, such as `group "shop"`; empty for the file itself.
    pub(crate) subject: String,
    /// Where its own key stands.
    pub(crate) at: Range<usize>,
    /// Where faults go.
    pub(crate) notebook: &'a Notebook,
    /// What is in it; nothing if it was left out.
    data: Option<&'a DeTable<'a>>,
}

/// A value of the file.
pub(crate) struct Value<'a> {
    /// What people call the table that it stands in.
    pub(crate) subject: &'a str,
    /// What the file calls the value.
    pub(crate) label: &'a str,
    /// Its key in the table of keys; that of the surrounding table if people chose its name.
    pub(crate) key: &'static Key,
    /// Where it stands.
    pub(crate) at: Range<usize>,
    /// Where faults go.
    pub(crate) notebook: &'a Notebook,
    /// What it is.
    pub(crate) data: &'a DeValue<'a>,
}

/// A value under a name that people chose.
pub(crate) struct Entry<'a> {
    /// The name, unchecked.
    pub(crate) name: &'a str,
    /// Where the name stands.
    pub(crate) at: Range<usize>,
    /// What it names.
    pub(crate) value: Value<'a>,
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(crate) fn file(data: &'a DeTable<'a>, notebook: &'a Notebook) -> Table<'a> {
        Table { section: Section::File, subject: String::new(), at: 0..0, notebook, data: Some(data) }
    }

    /// Refuses every key that may not stand here.
    pub(crate) fn check_keys(&self) {
        for (key, _) in self.data.iter().flat_map(|data| data.iter()) {
            if !self.section.kinds().iter().any(|section| section.key(key.get_ref()).is_some()) {
                self.refuse_key(key.get_ref(), key.span());
            }
        }
    }

    fn refuse_key(&self, name: &str, at: Range<usize>) {
        let shown = quoted(name);
        let siblings = self.section.base().map(Section::kinds).unwrap_or_default();
        let owner = siblings.iter().find(|section| section.key(name).is_some());
        let owner = owner.and_then(|section| section.type_word());
        if self.section.is_later(name) {
            let what = self.say(&format!("{shown} is not in this version yet"));
            self.notebook.refuse(FaultId::LaterKey, at, what, "remove it for now");
        } else if let Some(owner) = owner {
            let what = self.say(&format!("{shown} belongs to type \"{owner}\""));
            self.notebook.refuse(FaultId::OtherType, at, what, "remove it or correct `type`");
        } else {
            let what = self.say(&format!("unknown key {shown}"));
            self.notebook.refuse(FaultId::UnknownKey, at, what, self.key_remedy(name));
        }
    }

    fn key_remedy(&self, name: &str) -> String {
        let sections = self.section.kinds();
        let mut known: Vec<&str> = Vec::new();
        for key in sections.iter().flat_map(|section| section.keys()) {
            if !known.contains(&key.name) {
                known.push(key.name);
            }
        }
        match suggest::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("remove it; known here: {}", known.join(", ")),
        }
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Read>(&self, name: &str) -> Result<T, Refused> {
        T::read(&self.required_value(name)?)
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional<T: Read>(&self, name: &str) -> Result<Option<T>, Refused> {
        self.value(name).map(|value| T::read(&value)).transpose()
    }

    /// The value of a key, or its default from the table of keys.
    pub(crate) fn or_default<T: Read>(&self, name: &str) -> Result<T, Refused> {
        let Some(value) = self.value(name) else { return self.default(name) };
        T::read(&value)
    }

    fn default<T: Read>(&self, name: &str) -> Result<T, Refused> {
        let key = self.key(name);
        let Need::Default(text) = key.need else { unreachable!("{name} has no default") };
        let data = DeValue::parse(text).expect("a test reads every default");
        let (subject, at, notebook) = (self.subject.as_str(), self.at.clone(), self.notebook);
        T::read(&Value { subject, label: key.name, key, at, notebook, data: data.get_ref() })
    }

    /// The value of a key that must be there, unread.
    pub(crate) fn required_value(&self, name: &str) -> Result<Value<'_>, Refused> {
        self.value(name).ok_or_else(|| {
            let key = self.key(name);
            let remedy = format!("add it, for example {name} = {}", key.example);
            self.refuse(FaultId::MissingKey, &format!("{name} is missing"), remedy)
        })
    }

    /// The value of a key if it is there, unread.
    pub(crate) fn value(&self, name: &str) -> Option<Value<'_>> {
        let key = self.key(name);
        let data = self.data?.get(name)?;
        let (subject, at, notebook) = (self.subject.as_str(), data.span(), self.notebook);
        Some(Value { subject, label: key.name, key, at, notebook, data: data.get_ref() })
    }

    /// The table under `name`; an empty one if it is left out.
    pub(crate) fn child(&self, name: &str, section: Section) -> Result<Table<'_>, Refused> {
        let data = self.value(name).map(|value| value.table_data()).transpose()?;
        Ok(Table { section, subject: self.say(name), at: self.key_at(name), notebook: self.notebook, data })
    }

    /// What stands under `name` by names that people chose, in the order of the file, at most `max`; nothing if it
    /// is left out.
    pub(crate) fn entries(&self, name: &str, max: usize) -> Result<Vec<Entry<'_>>, Refused> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let data = value.table_data()?;
        let mut entries: Vec<_> = data.iter().map(|(key, data)| self.entry(key, data, value.key)).collect();
        entries.sort_by_key(|entry| entry.at.start);
        if let Some(surplus) = entries.get(max) {
            let what = self.say(&format!("{name} has {} entries", entries.len()));
            let remedy = format!("this version takes at most {max}");
            self.notebook.refuse(FaultId::TooMany, surplus.at.clone(), what, remedy);
        }
        entries.truncate(max);
        Ok(entries)
    }

    fn entry<'b>(
        &'b self,
        name: &'b toml::Spanned<std::borrow::Cow<'_, str>>,
        data: &'b toml::Spanned<DeValue<'_>>,
        key: &'static Key,
    ) -> Entry<'b> {
        let (subject, label, notebook) = (self.subject.as_str(), name.get_ref().as_ref(), self.notebook);
        let value = Value { subject, label, key, at: data.span(), notebook, data: data.get_ref() };
        Entry { name: label, at: name.span(), value }
    }

    /// Where the key `name` stands, else where the table's own does.
    pub(crate) fn key_at(&self, name: &str) -> Range<usize> {
        self.place(&[name])
    }

    /// Where the last key of `path` stands, else the last that is there.
    pub(crate) fn place(&self, path: &[&str]) -> Range<usize> {
        let (mut data, mut at) = (self.data, self.at.clone());
        for name in path {
            let Some((key, value)) = data.and_then(|data| data.get_key_value(*name)) else { break };
            (data, at) = (value.get_ref().as_table(), key.span());
        }
        at
    }

    /// Writes down a fault about the table as a whole.
    pub(crate) fn refuse(&self, id: FaultId, what: &str, remedy: impl Into<String>) -> Refused {
        self.notebook.refuse(id, self.at.clone(), self.say(what), remedy)
    }

    /// `what`, after what people call this table.
    pub(crate) fn say(&self, what: &str) -> String {
        say(&self.subject, what)
    }

    fn key(&self, name: &str) -> &'static Key {
        self.section.key(name).expect("the walk asks only for keys of the table")
    }
}

impl<'a> Value<'a> {
    /// The text; refuses what no command, path or log line can bear.
    pub(crate) fn text(&self, wanted: &str) -> Result<&'a str, Refused> {
        let DeValue::String(text) = self.data else { return Err(self.wrong_type(wanted)) };
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            let what = format!("{} has the control character {control:?}", self.label);
            return Err(self.refuse(FaultId::BadCharacter, &what, "remove it"));
        }
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("{} is {} bytes long", self.label, text.len());
            return Err(self.refuse(FaultId::TextTooLong, &what, format!("use at most {TEXT_BYTES_MAX}")));
        }
        Ok(text)
    }

    /// The values of a list.
    pub(crate) fn items(&self, wanted: &str) -> Result<Vec<Value<'a>>, Refused> {
        let DeValue::Array(list) = self.data else { return Err(self.wrong_type(wanted)) };
        let (label, key, notebook) = (self.label, self.key, self.notebook);
        let item = |data: &'a toml::Spanned<DeValue<'a>>| Value {
            subject: self.subject,
            label,
            key,
            at: data.span(),
            notebook,
            data: data.get_ref(),
        };
        Ok(list.iter().map(item).collect())
    }

    /// The values of a list, or the value as the only one of it.
    pub(crate) fn items_or_alone(&self, wanted: &str) -> Result<Vec<Value<'a>>, Refused> {
        match self.data.is_array() {
            true => self.items(wanted),
            false => Ok(vec![Value { at: self.at.clone(), ..*self }]),
        }
    }

    fn table_data(&self) -> Result<&'a DeTable<'a>, Refused> {
        self.data.as_table().ok_or_else(|| self.wrong_type("a table"))
    }

    /// Refuses a value of another type than `wanted`.
    pub(crate) fn wrong_type(&self, wanted: &str) -> Refused {
        let found = match self.data {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let what = format!("{} must be {wanted}, not {found}", self.label);
        self.refuse(
            FaultId::WrongType,
            &what,
            format!("write for example {} = {}", self.key.name, self.key.example),
        )
    }

    /// Writes down a fault about this value.
    pub(crate) fn refuse(&self, id: FaultId, what: &str, remedy: impl Into<String>) -> Refused {
        self.notebook.refuse(id, self.at.clone(), say(self.subject, what), remedy)
    }
}

impl<'a> Entry<'a> {
    /// The entry as a table of `section`, which people call `kind` and its name.
    pub(crate) fn table(&self, kind: &str, section: Section) -> Result<Table<'a>, Refused> {
        let label = format!("{kind} {}", quoted(self.name));
        let subject = say(self.value.subject, &label);
        let DeValue::Table(data) = self.value.data else {
            return Err(
                Value { label: &label, at: self.value.at.clone(), ..self.value }.wrong_type("a table")
            );
        };
        Ok(Table { section, subject, at: self.at.clone(), notebook: self.value.notebook, data: Some(data) })
    }

    /// The name, checked.
    pub(crate) fn name<N: FromStr<Err = NameError>>(&self) -> Result<N, Refused> {
        self.name.parse().map_err(|error| {
            let what = say(
                self.value.subject,
                &format!("{} {} is not a valid name: {error}", self.value.key.name, quoted(self.name)),
            );
            let remedy = name_remedy::<N>(self.name);
            self.value.notebook.refuse(FaultId::BadName, self.at.clone(), what, remedy)
        })
    }
}

/// The name nearest to `text` that is one.
pub(crate) fn name_remedy<N: FromStr>(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let near: String = text.chars().map(fit).collect();
    match near.parse::<N>() {
        Ok(_) => format!("write it as {near:?}"),
        Err(_) => "choose a name of a-z, 0-9, - and _ that begins with a letter".into(),
    }
}

fn say(subject: &str, what: &str) -> String {
    if subject.is_empty() { what.to_owned() } else { format!("{subject}: {what}") }
}
