//! The tie-breaker: outside the cluster, on a way of its own to each host. It decides once and for good; what goes wrong is
//! that a claim or an answer is lost, or comes late, or that a host does not reach it at all.

use crate::node::Factory;
use crate::random::{Random, Stream};
use crate::world::{Happening, World};
use phalanx_node::Input;
use phalanx_oracle::What;
use phalanx_types::limits::CLAIM_LIMIT_DEFAULT;
use phalanx_types::{Claim, NodeSet, Span, Verdict};
use std::collections::BTreeMap;

/// To the tie-breaker, or back.
const WAY: (Span, Span) = (Span::from_micros(300), Span::from_millis(20));
/// A claim that comes late comes within so many limits.
const LATE_LIMITS: u64 = 8;
/// What becomes of claims, in parts of a hundred: what is lost on the way there, comes late, or whose answer is lost.
const LOST: u64 = 10;
const LATE: u64 = 20;
const UNANSWERED: u64 = 30;
/// In one seed of so many one host does not reach it.
const CUT_OFF_SEEDS: u64 = 8;

/// What it has decided, and how well it is reached.
pub(crate) struct TieBreaker {
    won: BTreeMap<u64, NodeSet>,
    random: Random,
    cut_off: Option<usize>,
    /// Whether nothing goes wrong.
    well: bool,
    /// Whether nothing is answered; what was decided is kept.
    gone: bool,
}

/// What becomes of one claim.
struct Fate {
    arrives: Option<Span>,
    answers: Option<Span>,
}

impl TieBreaker {
    /// Of this seed.
    pub fn new(seed: u64, nodes: usize) -> TieBreaker {
        let mut random = Random::new(seed.wrapping_add(1), Stream::Ties);
        let cut_off = (random.below(CUT_OFF_SEEDS) == 0).then(|| random.below(nodes as u64) as usize);
        TieBreaker { won: BTreeMap::new(), random, cut_off, well: false, gone: false }
    }

    /// From now on each claim is answered.
    pub fn heal(&mut self) {
        (self.well, self.cut_off) = (true, None);
    }

    /// It is away from now on, or back.
    pub fn go(&mut self, gone: bool) {
        self.gone = gone;
    }

    fn fate(&mut self, host: usize) -> Fate {
        let (there, back) = (self.random.span(WAY.0, WAY.1), self.random.span(WAY.0, WAY.1));
        let late = self.random.span(CLAIM_LIMIT_DEFAULT, CLAIM_LIMIT_DEFAULT * LATE_LIMITS);
        let luck = if self.well { UNANSWERED } else { self.random.below(100) };
        match luck {
            _ if self.gone || self.cut_off == Some(host) => Fate { arrives: None, answers: None },
            ..LOST => Fate { arrives: None, answers: None },
            LOST..LATE => Fate { arrives: Some(late), answers: None },
            LATE..UNANSWERED => Fate { arrives: Some(there), answers: None },
            UNANSWERED.. => Fate { arrives: Some(there), answers: Some(back) },
        }
    }
}

impl<F: Factory> World<F> {
    /// A node claims a generation. Without an answer in time it hears that nobody knows.
    pub(crate) fn claim(&mut self, host: usize, start: u64, claim: Claim) {
        let Fate { arrives, answers } = self.tie_breaker.fate(host);
        if let Some(after) = arrives {
            self.later(after, Happening::Claims { by: host as u8, start, claim, answers });
        }
        if answers.is_none() {
            let verdict = Verdict::Unknown("no answer came in time".into());
            self.later(CLAIM_LIMIT_DEFAULT, judged(host, start, claim, verdict));
        }
    }

    /// It decides, whoever still waits for that.
    pub(crate) fn decides_tie(&mut self, host: usize, start: u64, claim: Claim, answers: Option<Span>) {
        let known = self.tie_breaker.won.get(&claim.generation).copied();
        let winner = known.unwrap_or(claim.half);
        if known.is_none() {
            self.tie_breaker.won.insert(claim.generation, claim.half);
            self.tell(host, What::TieDecided { claim });
        }
        let verdict = if winner == claim.half { Verdict::Won } else { Verdict::Lost(winner) };
        if let Some(after) = answers {
            self.later(after, judged(host, start, claim, verdict));
        }
    }
}

fn judged(host: usize, start: u64, claim: Claim, verdict: Verdict) -> Happening {
    Happening::Hears { host: host as u8, start, input: Box::new(Input::Claimed { claim, verdict }) }
}
