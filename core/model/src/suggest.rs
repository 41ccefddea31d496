//! "Did you mean …?": the known word nearest to what was written. Never changes what was written.

use phalanx_types::limits::NAME_BYTES_MAX;

/// The candidate that `written` is most likely a slip of; none if all are far from it.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > NAME_BYTES_MAX {
        return None;
    }
    let slips_max = (written.chars().count() / 4).max(1);
    let measured = candidates.into_iter().map(|candidate| (slips(written, candidate), candidate));
    measured.filter(|(slips, _)| *slips <= slips_max).min().map(|(_, candidate)| candidate)
}

/// How far `written` is from `candidate`. A beginning that says enough counts as one slip.
fn slips(written: &str, candidate: &str) -> usize {
    const TELLING: usize = 3;
    let begun = written.len() >= TELLING && candidate.starts_with(written);
    if begun { distance(written, candidate).min(1) } else { distance(written, candidate) }
}

/// How many characters must be put in, taken out, changed or swapped with their neighbour to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let plain = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row.push(if swap { plain.min(rows[i - 2][j - 2] + 1) } else { plain });
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let known = ["nodes", "startup", "fallover", "fallback", "takeover-needs"];
        let check = |written, meant| assert_eq!(nearest(written, known), meant, "{written}");
        check("node", Some("nodes"));
        check("starutp", Some("startup"));
        check("failover", Some("fallover"));
        check("failback", Some("fallback"));
        check("takeover_needs", Some("takeover-needs"));
        check("take", Some("takeover-needs"));
        check("colour", None);
        check("note", None);
        check("", None);
    }
}
