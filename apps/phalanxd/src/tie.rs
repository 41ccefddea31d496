//! The thread that asks the tie-breaker: what a claim became, and each minute whether it could be claimed at all.

use crate::inbox::{Post, Word};
use crate::remark::Remark;
use phalanx_model::{Cluster, TieBreaker, TieBreakerKind};
use phalanx_node::Input;
use phalanx_realtime::{Giver, make_helper, queue};
use phalanx_tie::{Directory, Patient};
use phalanx_types::{Claim, ClusterId, Incarnation, Span, Tick, Verdict};
use std::io;
use std::sync::Arc;
use std::thread;

const STACK_BYTES: usize = 256 * 1024;
/// Claims that wait; who claims asks again if there is no answer.
const WAITING_MAX: usize = 8;
/// From one look whether the tie-breaker is well to the next.
const CHECK_INTERVAL: Span = Span::from_secs(60);

/// Where claims are handed in.
pub struct Ties {
    work: Giver<(Work, Arc<Cluster>)>,
    check_at: Tick,
}

enum Work {
    Claim(Claim),
    Check,
}

/// What asks.
struct Asker {
    cluster: ClusterId,
    me: Incarnation,
    patient: Patient,
    /// What was found last.
    trouble: Option<String>,
    post: Post,
}

impl Ties {
    /// Begins to ask, as `me`.
    pub fn begin(cluster: ClusterId, me: Incarnation, post: Post) -> io::Result<Ties> {
        let (work, waiting) = queue::<(Work, Arc<Cluster>)>(WAITING_MAX);
        let mut asker = Asker { cluster, me, patient: Patient::default(), trouble: None, post };
        let ask = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            while let Some((work, cluster)) = waiting.wait() {
                match (work, cluster.tie_breaker()) {
                    (Work::Claim(claim), Some(breaker)) => asker.claim(breaker, claim),
                    (Work::Check, Some(breaker)) => asker.check(breaker),
                    (Work::Claim(_) | Work::Check, None) => {}
                }
            }
        };
        thread::Builder::new().name("ties".into()).stack_size(STACK_BYTES).spawn(ask)?;
        Ok(Ties { work, check_at: Tick::ZERO })
    }

    /// Has a generation claimed.
    pub fn claim(&self, claim: Claim, cluster: &Arc<Cluster>) {
        let _ = self.work.give((Work::Claim(claim), Arc::clone(cluster)));
    }

    /// Has the tie-breaker looked at, if it is time.
    pub fn check(&mut self, now: Tick, cluster: &Arc<Cluster>) {
        if now >= self.check_at && cluster.tie_breaker().is_some() {
            self.check_at = now + CHECK_INTERVAL;
            let _ = self.work.give((Work::Check, Arc::clone(cluster)));
        }
    }
}

impl Asker {
    fn claim(&mut self, breaker: &TieBreaker, claim: Claim) {
        let directory = self.directory(breaker);
        let verdict = match self.patient.ask(breaker.limit, move || directory.claim(claim)) {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => Verdict::Unknown(error.to_string()),
            Err(unanswered) => Verdict::Unknown(unanswered.to_string()),
        };
        self.post.input(Input::Claimed { claim, verdict });
    }

    /// Tells only what differs from the last time.
    fn check(&mut self, breaker: &TieBreaker) {
        let directory = self.directory(breaker);
        let trouble = match self.patient.ask(breaker.limit, move || directory.check()) {
            Ok(found) => found.err().map(|error| error.to_string()),
            Err(unanswered) => Some(unanswered.to_string()),
        };
        if trouble == self.trouble {
            return;
        }
        self.post.send(Word::Remark(match &trouble {
            Some(why) => Remark::TieBreakerAils { why: why.clone() },
            None => Remark::TieBreakerWell,
        }));
        self.trouble = trouble;
    }

    fn directory(&self, breaker: &TieBreaker) -> Directory {
        let TieBreakerKind::Nfs { directory } = &breaker.kind;
        Directory::new(directory, self.cluster, self.me)
    }
}
