//! Asks what may hang. Each question has a thread of its own; one that is not answered in time is left to itself, and while
//! it hangs nothing else is asked.

use phalanx_types::Span;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

const STACK_BYTES: usize = 256 * 1024;

/// Who asks one question at a time.
#[derive(Debug, Default)]
pub struct Patient {
    hanging: Option<JoinHandle<()>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// It did not come within so long.
    Late(Span),
    /// An earlier question still hangs.
    Hangs,
    /// Nobody could be asked.
    NoThread(io::Error),
}

impl Patient {
    /// The answer to a question, if it comes within `limit`. A question that panics has none.
    pub fn ask<T: Send + 'static>(
        &mut self,
        limit: Span,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        if self.hanging.as_ref().is_some_and(|hanging| !hanging.is_finished()) {
            return Err(Unanswered::Hangs);
        }
        let (answers, answer) = sync_channel(1);
        // If nobody waits any more the answer is dropped.
        let work = move || drop(answers.try_send(question()));
        let thread = Builder::new().name("tie-breaker".into()).stack_size(STACK_BYTES).spawn(work);
        self.hanging = Some(thread.map_err(Unanswered::NoThread)?);
        let answered = answer.recv_timeout(Duration::from_nanos(limit.0));
        if answered.is_ok() {
            // It has nothing more to do; until it is gone it would count as one that hangs.
            let _ = self.hanging.take().map(JoinHandle::join);
        }
        answered.map_err(|error| match error {
            RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected => Unanswered::Late(limit),
        })
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Late(limit) => write!(f, "no answer within {limit}"),
            Unanswered::Hangs => f.write_str("an earlier question still hangs there"),
            Unanswered::NoThread(error) => write!(f, "it cannot be asked: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Span = Span::from_secs(20);

    #[test]
    fn an_answer_in_time_is_an_answer() {
        let mut patient = Patient::default();
        assert_eq!(patient.ask(LONG, || 1).ok(), Some(1));
        assert_eq!(patient.ask(LONG, || 2).ok(), Some(2));
    }

    #[test]
    fn what_hangs_is_left_to_itself_and_nothing_else_is_asked_until_it_ends() {
        let mut patient = Patient::default();
        let (let_go, held) = channel::<()>();
        let hangs = move || held.recv().is_err();
        assert!(matches!(patient.ask(Span::from_millis(1), hangs), Err(Unanswered::Late(_))));
        assert!(matches!(patient.ask(LONG, || 1), Err(Unanswered::Hangs)));
        drop(let_go);
        phalanx_sandbox::eventually("it ends", || patient.ask(LONG, || 1).is_ok());
    }
}
