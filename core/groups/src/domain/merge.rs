//! Parts of a divided cluster meet: what each knows of the groups of the others, and which groups of the part that goes on
//! end there (merge control; RSCT Group Services, A2 and A6).
//!
//! Each node brings how many providers of its own it has in each group that has merge control. What nodes of one part bring
//! together is the part's. So a node that stood still, and brings a domain of long ago, counts for no more than itself.

use super::attributes::Merge;
use super::name::Name;
use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder, encode};
use phalanx_types::limits::{GS_GROUPS_MAX, GS_NAME_BYTES_MAX};
use std::collections::BTreeMap;

/// How many providers a node has in each group that has merge control. Packed, so that reading it takes no more memory than
/// it has bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// For each group the length of its name, the name, and a count of two bytes.
    packed: Vec<u8>,
}

/// How many providers a part of the cluster has in each of those groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    counts: BTreeMap<Name, u32>,
}

/// What stands at the beginning of a packed census, and the rest.
struct Entry<'a> {
    name: &'a str,
    count: u16,
    rest: &'a [u8],
}

impl Census {
    /// These groups, each with so many providers.
    pub(crate) fn of<'a>(counts: impl Iterator<Item = (&'a Name, usize)>) -> Census {
        let mut packed = Vec::new();
        for (name, count) in counts.filter(|(_, count)| *count > 0).take(GS_GROUPS_MAX) {
            let name = name.as_str().as_bytes();
            packed.push(u8::try_from(name.len()).expect("a name is short"));
            packed.extend_from_slice(name);
            packed.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
        }
        Census { packed }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let first = Entry::read(&self.packed);
        std::iter::successors(first, |entry| Entry::read(entry.rest))
    }
}

impl<'a> Entry<'a> {
    fn read(packed: &'a [u8]) -> Option<Entry<'a>> {
        let (length, packed) = packed.split_first()?;
        let (name, packed) = packed.split_at_checked(usize::from(*length))?;
        let (count, rest) = packed.split_first_chunk()?;
        let name = str::from_utf8(name).ok().filter(|name| name.len() <= GS_NAME_BYTES_MAX)?;
        Some(Entry { name, count: u16::from_le_bytes(*count), rest })
    }
}

impl Part {
    /// What these nodes bring together.
    pub fn of<'a>(nodes: impl IntoIterator<Item = &'a Census>) -> Part {
        let mut part = Part::default();
        for entry in nodes.into_iter().flat_map(Census::entries) {
            if let Ok(name) = Name::new(entry.name) {
                *part.counts.entry(name).or_insert(0) += u32::from(entry.count);
            }
        }
        part
    }

    fn count(&self, group: &Name) -> u32 {
        self.counts.get(group).copied().unwrap_or(0)
    }
}

impl Merge {
    /// Whether a group of `ours` goes on where parts meet. A part that has nobody in it has no say.
    pub(crate) fn goes_on(self, group: &Name, ours: &Part, others: &[Part]) -> bool {
        let here = ours.count(group);
        let mut there = others.iter().map(|part| part.count(group)).filter(|count| *count > 0);
        match self {
            Merge::DontCare => true,
            Merge::Larger => there.all(|count| count <= here),
            Merge::Smaller => there.all(|count| count >= here),
            Merge::Dissolve => there.next().is_none(),
        }
    }
}

impl<C> Encode<C> for Census {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.packed)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Census {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Census, Error> {
        let mut rest = d.bytes()?;
        let packed = rest;
        let mut groups = 0;
        while !rest.is_empty() && groups < GS_GROUPS_MAX {
            rest = Entry::read(rest).ok_or_else(|| Error::message("no census of groups"))?.rest;
            groups += 1;
        }
        match rest.is_empty() {
            true => Ok(Census { packed: packed.to_vec() }),
            false => Err(Error::message("more groups than there may be")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Merge::{Dissolve, DontCare, Larger, Smaller};

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    fn census(counts: &[(&str, usize)]) -> Census {
        let names: Vec<(Name, usize)> = counts.iter().map(|(text, count)| (name(text), *count)).collect();
        Census::of(names.iter().map(|(name, count)| (name, *count)))
    }

    #[test]
    fn the_other_parts_decide_by_how_many_they_have() {
        let check = |ours: usize, others: &[usize], expected: &[Merge]| {
            let part = |count: &usize| Part::of([&census(&[("web", *count), ("mail", 9)])]);
            let others: Vec<Part> = others.iter().map(part).collect();
            let goes_on = |merge: &Merge| merge.goes_on(&name("web"), &part(&ours), &others);
            let going_on: Vec<Merge> =
                [DontCare, Larger, Smaller, Dissolve].into_iter().filter(goes_on).collect();
            assert_eq!(going_on, expected, "{ours} and {}", others.len());
        };
        check(2, &[], &[DontCare, Larger, Smaller, Dissolve]);
        check(2, &[0, 0], &[DontCare, Larger, Smaller, Dissolve]);
        check(2, &[1], &[DontCare, Larger]);
        check(2, &[2], &[DontCare, Larger, Smaller]);
        check(2, &[3, 0], &[DontCare, Smaller]);
        check(2, &[1, 3], &[DontCare]);
        check(0, &[1], &[DontCare, Smaller]);
    }

    #[test]
    fn nodes_of_a_part_count_together() {
        let part = Part::of([&census(&[("web", 2), ("mail", 1)]), &census(&[("web", 3), ("none", 0)])]);
        assert_eq!(["web", "mail", "none"].map(|group| part.count(&name(group))), [5, 1, 0]);
    }

    #[test]
    fn it_survives_the_wire_and_what_is_none_does_not() {
        let written = minicbor::to_vec(census(&[("web", 2), ("mail", 70_000)])).expect("it can be written");
        let read: Census = minicbor::decode(&written).expect("it can be read");
        assert_eq!(read, census(&[("web", 2), ("mail", 65_535)]), "as many as can be told");
        let fits = |packed: &[u8]| {
            let bytes = minicbor::to_vec(<&minicbor::bytes::ByteSlice>::from(packed)).expect("bytes");
            minicbor::decode::<Census>(&bytes).is_ok()
        };
        assert!(fits(b"") && fits(b"\x01w\x02\x00"));
        assert!(!fits(b"\x01w\x02"), "half a count");
        assert!(!fits(b"\x09w\x02\x00"), "a name that is longer than all");
        assert!(!fits(b"\x01\xff\x02\x00"), "no text");
        assert!(!fits(&[33, b'n'].into_iter().chain([b'n'; 34]).collect::<Vec<u8>>()), "too long a name");
        assert!(fits(&b"\x01w\x02\x00".repeat(1_024)) && !fits(&b"\x01w\x02\x00".repeat(1_025)));
    }
}
