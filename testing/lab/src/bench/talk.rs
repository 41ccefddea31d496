//! A client of Group Services that sends messages and counts what is delivered: what `groups` runs on each host.

use super::cost::Cost;
use crate::tool::{Outcome, Trouble, While};
use phalanx_client::{
    Attributes, Change, Client, Event, Message, Name, Outcome as End, Phases, Said, Seat, Service, Settings,
    Span, Vote, Wish,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// Talkers that must be there before anybody talks.
const TALKERS: usize = 3;
/// How long the others may take to come.
const GATHER_LIMIT: Duration = Duration::from_secs(20);
/// Talking before anything is counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a phase may last.
const VOTED: Phases = Phases::Many { limit: Span::from_secs(5) };

/// What one talker does.
pub struct Talk {
    group: String,
    size: usize,
    duration: Duration,
    /// Own messages under way at a time; none if it only listens.
    window: usize,
    how: How,
}

/// How its messages are told to all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Where they stand in the order.
    Agreed,
    /// When every node has them.
    Safe,
    /// When all have voted on them.
    Voted,
}

impl How {
    const ALL: [How; 3] = [How::Agreed, How::Safe, How::Voted];

    /// As it is said to a talker.
    pub fn word(self) -> &'static str {
        match self {
            How::Agreed => "agreed",
            How::Safe => "safe",
            How::Voted => "voted",
        }
    }

    fn is_voted(self) -> bool {
        self == How::Voted
    }

    fn service(self) -> Service {
        match self {
            How::Safe => Service::Safe,
            How::Agreed | How::Voted => Service::Agreed,
        }
    }
}

/// What one talker heard.
#[derive(Default)]
struct Told {
    /// Messages while it counted.
    counted: u64,
    /// All messages.
    heard: u64,
    /// Of own messages, in microseconds, where one is under way at a time.
    latencies: Vec<u64>,
}

impl Talk {
    /// `GROUP SIZE SECONDS WINDOW HOW`.
    pub fn parse(words: &[&str]) -> Outcome<Talk> {
        let [group, size, seconds, window, how] = words else {
            return Err(Trouble("talk GROUP SIZE SECONDS WINDOW agreed|safe|voted".into()));
        };
        Ok(Talk {
            group: (*group).to_owned(),
            size: size.parse().during("SIZE")?,
            duration: Duration::from_secs(seconds.parse().during("SECONDS")?),
            window: window.parse().during("WINDOW")?,
            how: (How::ALL.into_iter().find(|known| known.word() == *how))
                .ok_or_else(|| Trouble(format!("HOW: not {how:?}")))?,
        })
    }

    /// Talks, and prints a JSON object.
    pub fn run(&self) -> Outcome<()> {
        let settings = Settings::new("talk").during("naming the client")?;
        let mut client = Client::connect(&settings).during("connecting")?;
        client.gather();
        let name = Name::new(&self.group).during("GROUP")?;
        let seat = client.join(&name, 1, Attributes::default()).during("joining")?;
        gather(&mut client)?;
        let before = Cost::of(std::process::id())?;
        let Told { counted: delivered, heard, mut latencies } = self.talk(&mut client, &seat)?;
        let cpu_ms = Cost::of(std::process::id())?.cpu_ms - before.cpu_ms;
        latencies.sort_unstable();
        let at = |part: usize| {
            latencies.get((latencies.len() * part / 100).min(latencies.len().saturating_sub(1)))
        };
        let seconds = self.duration.as_secs_f64();
        println!(
            "{}",
            json!({"per_s": (delivered as f64 / seconds).round(), "median_us": at(50), "p99_us": at(99),
                "heard": heard, "cpu_ms": cpu_ms})
        );
        client.quit().during("leaving")
    }

    fn talk(&self, client: &mut Client, seat: &Seat) -> Outcome<Told> {
        let (mut under_way, mut told) = (0, Told::default());
        let begin = Instant::now() + WARM_UP;
        let end = begin + self.duration;
        let mut sent = Instant::now();
        loop {
            let now = Instant::now();
            while under_way < self.window && now < end {
                (under_way, sent) = (under_way + 1, Instant::now());
                self.send(client, seat)?;
            }
            if now >= end && (under_way == 0 || now >= end + WARM_UP) {
                return Ok(told);
            }
            let left = end.saturating_duration_since(now).max(WARM_UP / 10);
            let Some(event) = client.next_event_within(left).during("listening")? else { continue };
            let Some(own) = self.hear(client, seat, event)? else { continue };
            let now = Instant::now();
            let counts = now >= begin && now < end;
            (told.heard, told.counted) = (told.heard + 1, told.counted + u64::from(counts));
            if own {
                under_way = usize::saturating_sub(under_way, 1);
                told.latencies.extend(
                    (counts && self.window == 1).then(|| now.duration_since(sent).as_micros() as u64),
                );
            }
        }
    }

    fn send(&self, client: &mut Client, seat: &Seat) -> Outcome<()> {
        let mut body = vec![b'.'; self.size];
        let mark = client.place().life.node.0.to_le_bytes();
        body[..mark.len()].copy_from_slice(&mark);
        let message = Message::new(body).during("SIZE")?;
        let phases = if self.how.is_voted() { VOTED } else { Phases::One };
        client.propose(seat, Wish::Message(self.how.service()), Some(message), phases).during("sending")
    }

    /// Whether a message was delivered, and whether it is an own one.
    fn hear(&self, client: &mut Client, seat: &Seat, event: Event) -> Outcome<Option<bool>> {
        match event {
            Event::Phase(phase) => {
                client.vote(&phase, Vote::Approve, Said::default()).during("voting")?;
                Ok(None)
            }
            Event::Approved(End { proposal, .. }) if self.how.is_voted() => {
                Ok(matches!(proposal.change, Change::Message).then_some(self.window > 0))
            }
            Event::Approved(End { proposal, .. }) => {
                let mark = client.place().life.node.0.to_le_bytes();
                Ok(proposal.message.as_ref().map(|message| message.bytes().starts_with(&mark)))
            }
            Event::Refused { why, .. } => Err(Trouble(format!("{seat}: refused: {why:?}"))),
            Event::Dissolved => Err(Trouble("the domain was dissolved".into())),
            Event::GroupDissolved { seat } => Err(Trouble(format!("{seat}: the group was dissolved"))),
            Event::Rejected(_) | Event::Silent { .. } | Event::Responsiveness { .. } | Event::News { .. } => {
                Ok(None)
            }
        }
    }
}

/// Waits until all talkers are there.
fn gather(client: &mut Client) -> Outcome<()> {
    let deadline = Instant::now() + GATHER_LIMIT;
    while Instant::now() < deadline {
        if let Some(Event::Approved(end)) = client.next_event_within(WARM_UP).during("gathering")?
            && end.standing.members.0.len() == TALKERS
        {
            return Ok(());
        }
    }
    Err(Trouble(format!("{TALKERS} talkers did not gather within {GATHER_LIMIT:?}")))
}
