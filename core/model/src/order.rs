//! In which order the resources of a group start: after what the file says, else by type.
//!
//! Works on positions in the file, so that equals keep the file's order. Never sees names or text.

use std::collections::BTreeSet;

/// What the order of one resource depends on.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The place of its type: lower ranks start first.
    pub(crate) rank: u8,
    /// What the file says that it comes after; `None` leaves it to the ranks.
    pub(crate) after: Option<Vec<usize>>,
    /// Items that must come before it if nothing is said, whatever their rank: outer mount points.
    pub(crate) inside: Vec<usize>,
}

/// The order found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrangement {
    /// All items, each after those that it comes after.
    pub(crate) order: Vec<usize>,
    /// For each item what it directly comes after.
    pub(crate) after: Vec<Vec<usize>>,
    /// For each item everything that it comes after, at any distance.
    pub(crate) before: Vec<BTreeSet<usize>>,
}

/// Items that wait for each other: each comes after the next, and the last after the first.
pub(crate) type Cycle = Vec<usize>;

/// Arranges `items`, or names every cycle that the file's own words close.
pub(crate) fn arrange(items: &[Item]) -> Result<Arrangement, Vec<Cycle>> {
    let said: Vec<Vec<usize>> = items.iter().map(|item| item.after.clone().unwrap_or_default()).collect();
    let cycles = cycles(&said);
    if !cycles.is_empty() {
        return Err(cycles);
    }
    let mut edges = Edges::new(&said);
    for (index, item) in items.iter().enumerate().filter(|(_, item)| item.after.is_none()) {
        let comes_first =
            |(earlier, other): &(usize, &Item)| other.rank < item.rank || item.inside.contains(earlier);
        let earlier = items.iter().enumerate().filter(comes_first).map(|(earlier, _)| earlier);
        earlier.for_each(|earlier| edges.add_unless_circular(index, earlier));
    }
    Ok(Arrangement { order: edges.order(), after: edges.after, before: edges.before })
}

/// Edges free of cycles, with their transitive closure.
struct Edges {
    after: Vec<Vec<usize>>,
    before: Vec<BTreeSet<usize>>,
}

impl Edges {
    fn new(said: &[Vec<usize>]) -> Edges {
        let mut edges =
            Edges { after: vec![Vec::new(); said.len()], before: vec![BTreeSet::new(); said.len()] };
        for (index, after) in said.iter().enumerate() {
            after.iter().for_each(|earlier| edges.add_unless_circular(index, *earlier));
        }
        edges
    }

    /// Lets `later` come after `earlier`, unless that is already the other way round: what the file says wins.
    fn add_unless_circular(&mut self, later: usize, earlier: usize) {
        if later == earlier || self.before[earlier].contains(&later) {
            return;
        }
        self.after[later].push(earlier);
        let mut gained = self.before[earlier].clone();
        gained.insert(earlier);
        for (index, before) in self.before.iter_mut().enumerate() {
            if index == later || before.contains(&later) {
                before.extend(&gained);
            }
        }
    }

    /// Again and again the first item of the file that has nothing left to wait for.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        let mut waiting: Vec<usize> = (0..self.after.len()).collect();
        while !waiting.is_empty() {
            let ready = |index: &usize| self.after[*index].iter().all(|earlier| order.contains(earlier));
            let next = waiting.iter().position(ready).expect("without cycles one item is always ready");
            order.push(waiting.remove(next));
        }
        order
    }
}

/// At least one cycle of each knot, each told once.
fn cycles(after: &[Vec<usize>]) -> Vec<Cycle> {
    let mut search = Search { after, done: BTreeSet::new(), trail: Vec::new(), found: Vec::new() };
    (0..after.len()).for_each(|index| search.visit(index));
    search.found
}

struct Search<'a> {
    after: &'a [Vec<usize>],
    done: BTreeSet<usize>,
    trail: Vec<usize>,
    found: Vec<Cycle>,
}

impl Search<'_> {
    /// As deep as the items are many, which the limits of a group bound.
    fn visit(&mut self, index: usize) {
        if let Some(start) = self.trail.iter().position(|earlier| *earlier == index) {
            self.found.push(self.trail[start..].to_vec());
            return;
        }
        if self.done.insert(index) {
            self.trail.push(index);
            self.after[index].iter().for_each(|earlier| self.visit(*earlier));
            self.trail.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items from words such as `app`, `fs`, `app>0,2` (an application after items 0 and 2), `fs/1` (inside 1).
    fn items(words: &str) -> Vec<Item> {
        let numbers = |text: &str| text.split(',').filter_map(|n| n.parse().ok()).collect::<Vec<usize>>();
        let item = |word: &str| Item {
            rank: ["fs", "ip", "app"].iter().position(|kind| word.starts_with(kind)).unwrap() as u8,
            after: word.split_once('>').map(|(_, list)| numbers(list)),
            inside: word.split_once('/').map(|(_, list)| numbers(list)).unwrap_or_default(),
        };
        words.split(' ').map(item).collect()
    }

    fn check(words: &str, order: &[usize]) {
        let arranged = arrange(&items(words)).expect(words);
        assert_eq!(arranged.order, order, "{words}");
        for (index, after) in arranged.after.iter().enumerate() {
            let place = |item: usize| order.iter().position(|other| *other == item).unwrap();
            assert!(after.iter().all(|earlier| place(*earlier) < place(index)), "{words}: {arranged:?}");
        }
    }

    #[test]
    fn types_order_what_the_file_does_not() {
        check("app ip fs", &[2, 1, 0]);
        check("fs fs ip ip app app", &[0, 1, 2, 3, 4, 5]);
        check("ip app fs app fs", &[2, 4, 0, 1, 3]);
    }

    #[test]
    fn the_file_wins_over_the_types() {
        check("fs>1 app", &[1, 0]);
        check("ip> fs app", &[0, 1, 2]);
        check("app> fs ip", &[0, 1, 2]);
        check("fs fs>3 ip>0 app", &[0, 2, 3, 1]);
    }

    #[test]
    fn types_never_close_a_circle_with_what_the_file_says() {
        check("fs>3 ip>2 app app", &[3, 0, 2, 1]);
    }

    #[test]
    fn an_outer_mount_comes_first() {
        check("fs/1 fs", &[1, 0]);
    }

    #[test]
    fn cycles_are_named() {
        let check = |words, expected: &[&[usize]]| {
            assert_eq!(arrange(&items(words)).unwrap_err(), expected, "{words}")
        };
        check("app>0", &[&[0]]);
        check("fs>1 ip>2 app>0", &[&[0, 1, 2]]);
        check("fs>1 fs>0 app>3 app>2 ip", &[&[0, 1], &[2, 3]]);
    }
}
