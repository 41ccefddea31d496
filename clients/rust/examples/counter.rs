//! A voting state-changer: providers on any nodes keep one number, and each change of it is voted on by all of them.
//!
//! The provider that joined first proposes the next number every second; each votes for it if it is one more than the last it
//! knows. See README.md beside the crate.

use phalanx_client::{
    Attributes, Client, ClientError, Event, Name, Outcome, Phase, Phases, Said, Seat, Settings, Span,
    StateValue, Vote, Wish,
};
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
const VOTED: Phases = Phases::Many { limit: Span::from_secs(5) };

struct Counter {
    client: Client,
    seat: Seat,
    number: u64,
    /// Whether this provider joined before all others.
    first: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let instance = arguments.next().ok_or("usage: counter INSTANCE [RUN_DIR]")?.parse()?;
    let mut settings = Settings::new("counter")?;
    if let Some(run_dir) = arguments.next() {
        settings.run_dir = run_dir.into();
    }
    let mut client = Client::connect(&settings)?;
    let attributes = Attributes { membership: VOTED, ..Attributes::default() };
    let seat = client.join(&Name::new("counter")?, instance, attributes)?;
    println!("on {} of {}", client.place().node, client.place().cluster);
    Counter { client, seat, number: 0, first: false }.run()?;
    Ok(())
}

impl Counter {
    fn run(&mut self) -> Result<(), ClientError> {
        let mut due = Instant::now() + EVERY;
        loop {
            match self.client.next_event_within(due.saturating_duration_since(Instant::now()))? {
                Some(Event::Dissolved) => return Ok(()),
                Some(event) => self.hear(event)?,
                None => {
                    due = Instant::now() + EVERY;
                    self.propose()?;
                }
            }
        }
    }

    fn hear(&mut self, event: Event) -> Result<(), ClientError> {
        match &event {
            Event::Phase(phase) => self.vote(phase),
            Event::Approved(outcome) => {
                self.adopt(outcome);
                println!("{} with {} providers", self.number, outcome.standing.members.0.len());
                Ok(())
            }
            Event::Rejected(outcome) => {
                self.adopt(outcome);
                println!("rejected; still {}", self.number);
                Ok(())
            }
            Event::Refused { why, .. } => {
                println!("refused: {why:?}");
                Ok(())
            }
            Event::Silent { .. }
            | Event::Responsiveness { .. }
            | Event::News { .. }
            | Event::GroupDissolved { .. }
            | Event::Dissolved => {
                println!("{event:?}");
                Ok(())
            }
        }
    }

    fn vote(&mut self, phase: &Phase) -> Result<(), ClientError> {
        // What comes with no state value is a change of membership.
        let fits = phase.proposal.state.as_ref().is_none_or(|state| number(state) == self.number + 1);
        self.client.vote(phase, if fits { Vote::Approve } else { Vote::Reject }, Said::default())
    }

    fn adopt(&mut self, outcome: &Outcome) {
        self.number = number(&outcome.standing.state);
        let me = (self.client.place().life, self.seat.instance);
        self.first =
            outcome.standing.members.0.first().is_some_and(|first| (first.life, first.instance) == me);
    }

    fn propose(&mut self) -> Result<(), ClientError> {
        if !self.first {
            return Ok(());
        }
        let next = (self.number + 1).to_string().into_bytes();
        let state = StateValue::new(next).expect("a number has few digits, and one at least");
        self.client.propose(&self.seat, Wish::State(state), None, VOTED)
    }
}

/// A group begins with a state value that is no number: zero.
fn number(state: &StateValue) -> u64 {
    std::str::from_utf8(state.bytes()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
