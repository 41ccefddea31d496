//! Which entries of a record somebody wants to see.

use crate::line::Entry;
use crate::record::Record;
use phalanx_types::Span;

/// What is wanted. By default everything but small things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Of this node only.
    pub node: Option<u16>,
    /// Not before this, in nanoseconds.
    pub from: Option<u64>,
    /// Not after this.
    pub to: Option<u64>,
    /// How much of it.
    pub telling: Telling,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// What a person wants to read first.
    #[default]
    Main,
    /// Every message and every renewal, too.
    Everything,
}

impl Choice {
    /// The last `span` before something was broken, or before the end if nothing was.
    pub fn last(record: &Record, span: Span) -> Choice {
        let end = record.end.broken.as_ref().map_or(record.end.at, |broken| broken.at);
        Choice { from: Some(end.saturating_sub(span.0)), to: Some(end), ..Choice::default() }
    }

    /// The entries wanted, in order. What was seen last is told even if it is small: it is what broke the property.
    pub fn pick(self, record: &Record) -> impl Iterator<Item = &Entry> {
        let last = record.end.broken.as_ref().and(record.entries.last()).map(|entry| entry.n);
        record.entries.iter().filter(move |entry| self.takes(entry, last == Some(entry.n)))
    }

    fn takes(&self, entry: &Entry, decisive: bool) -> bool {
        let told = self.telling == Telling::Everything || !entry.kind.is_small() || decisive;
        told && self.node.is_none_or(|node| node == entry.node)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Kind;
    use crate::record::tests::record;

    fn check(choice: Choice, expected: &[u64]) {
        let record = record();
        assert_eq!(choice.pick(&record).map(|entry| entry.n).collect::<Vec<_>>(), expected, "{choice:?}");
    }

    #[test]
    fn small_things_are_told_on_demand() {
        check(Choice::default(), &[1, 2, 4]);
        check(Choice { telling: Telling::Everything, ..Choice::default() }, &[1, 2, 3, 4]);
    }

    #[test]
    fn one_node_one_time() {
        check(Choice { node: Some(2), ..Choice::default() }, &[2]);
        check(Choice { from: Some(1_400_000_000), to: Some(2_000_000_000), ..Choice::default() }, &[2]);
        check(Choice::last(&record(), Span::from_secs(5)), &[4]);
    }

    #[test]
    fn what_broke_a_property_is_told_however_small() {
        let mut record = record();
        record.entries[3].kind = Kind::Message;
        assert_eq!(Choice::default().pick(&record).last().map(|entry| entry.n), Some(4));
        record.end.broken = None;
        assert_eq!(Choice::default().pick(&record).last().map(|entry| entry.n), Some(2));
    }
}
