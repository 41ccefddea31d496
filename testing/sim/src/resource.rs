//! Dummy resources: what truly is active on one host, and operations that take their time, fail, hang and lie.
//!
//! This is ground truth. Nothing here knows what a node believes.

use crate::random::{Random, Stream};
use crate::setting::Setting;
use phalanx_oracle::{HoldEnd, What};
use phalanx_types::{
    GroupName, Operation, OperationId, OperationResult, OwnershipEpoch, ResourceName, Span, Verb,
};

/// What a dummy stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An address: on at most one node.
    Address,
    /// A file system.
    Disk,
    /// A program that writes to the shared disk while it runs, and whose end is noticed.
    Application,
}

/// Whether something is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of it is there.
    Inactive,
    /// Some of it is there, or all.
    Active {
        /// The acquisition it was started with.
        epoch: OwnershipEpoch,
        /// Whether all of it is there.
        whole: bool,
    },
}

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It takes fifty times as long.
    Slow,
    /// It does not end before its limit.
    Hang,
    /// It ends with an error.
    Fail,
    /// It says that it is done, and is not.
    Lie,
}

/// The kinds of operation that can ail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailing {
    /// Starts.
    Start,
    /// Stops.
    Stop,
    /// Stops and kills, the deadman's included.
    Kill,
    /// Probes; they never lie.
    Probe,
    /// Questions who else has an address; nobody ever has, and nothing is wrong with the questions.
    Scout,
    /// Monitors.
    Monitor,
}

/// Operations of one kind go wrong, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ailment {
    /// Which.
    pub verb: Ailing,
    /// What goes wrong.
    pub how: How,
    /// How often of a million.
    pub millionths: u32,
}

/// An answer to an operation of the life with this start number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The life that asked.
    pub start: u64,
    /// What it asked for.
    pub operation: Operation,
    /// How it ended.
    pub result: OperationResult,
}

/// What begins when an operation does.
#[derive(Debug)]
pub struct Begun {
    /// When it is over.
    pub after: Span,
    /// An operation that this one cut short.
    pub interrupted: Option<Answer>,
}

struct Busy {
    start: u64,
    operation: Operation,
    how: Option<How>,
}

struct Resource {
    group: usize,
    name: ResourceName,
    kind: Kind,
    state: State,
    /// Grows with each activation, so that an old writer knows that it is over.
    serial: u32,
    /// The last serial that has a writer.
    writing: u32,
    busy: Option<Busy>,
    /// Which of its host's adapters an address is on.
    adapter: usize,
}

/// All resources on one host.
pub struct Resources {
    groups: Vec<GroupName>,
    list: Vec<Resource>,
    ailments: Vec<(u32, Ailment)>,
    /// Which adapters of the network that addresses are on have a carrier.
    carriers: Vec<bool>,
    random: Random,
}

fn ailing(verb: Verb) -> Ailing {
    match verb {
        Verb::Probe => Ailing::Probe,
        Verb::Scout => Ailing::Scout,
        Verb::Start(_) => Ailing::Start,
        Verb::Stop => Ailing::Stop,
        Verb::Kill => Ailing::Kill,
        Verb::Monitor => Ailing::Monitor,
    }
}

/// The shortest and the longest that a healthy operation takes.
fn duration(verb: Ailing, kind: Kind) -> (Span, Span) {
    let (low, high) = match (verb, kind) {
        (Ailing::Probe | Ailing::Monitor, _) => (100, 1_500),
        (Ailing::Scout, _) => (20_000, 25_000),
        (Ailing::Start, Kind::Address) => (200, 3_000),
        (Ailing::Start, Kind::Disk) => (1_000, 20_000),
        (Ailing::Start, Kind::Application) => (2_000, 60_000),
        (Ailing::Stop, Kind::Address) => (100, 1_000),
        (Ailing::Stop, Kind::Disk) => (1_000, 10_000),
        (Ailing::Stop, Kind::Application) => (1_000, 30_000),
        (Ailing::Kill, _) => (100, 3_000),
    };
    (Span::from_micros(low), Span::from_micros(high))
}

impl Resources {
    /// The resources of every group, none active.
    pub fn new(seed: u64, node: u64, setting: &Setting) -> Resources {
        let groups = setting.groups.iter().map(|group| group.name.clone()).collect();
        let of_group = |(index, group): (usize, &crate::setting::Group)| {
            let resource = move |(name, kind): &(ResourceName, Kind)| Resource {
                group: index,
                name: name.clone(),
                kind: *kind,
                state: State::Inactive,
                serial: 0,
                writing: 0,
                busy: None,
                adapter: 0,
            };
            group.resources.iter().map(resource).collect::<Vec<_>>()
        };
        let list = setting.groups.iter().enumerate().flat_map(of_group).collect();
        let random = Random::new(seed.wrapping_add(node << 32), Stream::Workload);
        Resources { groups, list, ailments: Vec::new(), carriers: vec![true; setting.adapters], random }
    }

    /// Which resource an operation is about.
    pub fn find(&self, operation: &Operation) -> Option<usize> {
        let named = |r: &Resource| self.groups[r.group] == operation.group && r.name == operation.resource;
        self.list.iter().position(named)
    }

    /// Whether anything is active.
    pub fn holding(&self) -> bool {
        self.list.iter().any(|resource| resource.state != State::Inactive)
    }

    /// Whether anything of a group is active.
    pub fn holds(&self, group: usize) -> bool {
        self.active(group) > 0
    }

    fn active(&self, group: usize) -> usize {
        self.list.iter().filter(|r| r.group == group && r.state != State::Inactive).count()
    }

    fn missing(&self, group: usize) -> usize {
        let whole = |r: &Resource| matches!(r.state, State::Active { whole: true, .. });
        self.list.iter().filter(|r| r.group == group && !whole(r)).count()
    }

    /// Every resource, by number.
    pub fn indices(&self) -> std::ops::Range<usize> {
        0..self.list.len()
    }

    /// The group and the name of a resource.
    pub fn name(&self, index: usize) -> (&GroupName, &ResourceName) {
        let resource = &self.list[index];
        (&self.groups[resource.group], &resource.name)
    }

    /// The writer of this activation of an application, if it runs.
    pub fn writer(&self, index: usize) -> Option<(u32, OwnershipEpoch)> {
        match (self.list[index].kind, self.list[index].state) {
            (Kind::Application, State::Active { epoch, .. }) => Some((self.list[index].serial, epoch)),
            (Kind::Application | Kind::Address | Kind::Disk, _) => None,
        }
    }

    /// The same, once for each activation.
    pub fn new_writer(&mut self, index: usize) -> Option<(u32, OwnershipEpoch)> {
        let writer = self.writer(index).filter(|(serial, _)| *serial != self.list[index].writing)?;
        self.list[index].writing = writer.0;
        Some(writer)
    }

    /// Whether this is an application that does not run.
    pub fn is_dead_application(&self, index: usize) -> bool {
        self.list[index].kind == Kind::Application && self.list[index].state == State::Inactive
    }

    /// Changes what is true, and says what an observer sees of it.
    pub fn set(&mut self, index: usize, state: State, by: HoldEnd, seen: &mut Vec<What>) {
        let (group, kind, before) = (self.list[index].group, self.list[index].kind, self.list[index].state);
        let (active_before, missing_before) = (self.active(group), self.missing(group));
        self.list[index].state = state;
        let name = self.groups[group].clone();
        if before == State::Inactive && state != State::Inactive {
            self.list[index].serial += 1;
        }
        if kind == Kind::Address && (before == State::Inactive) != (state == State::Inactive) {
            let (group, resource) = (name.clone(), self.list[index].name.clone());
            seen.push(match state {
                State::Active { .. } => What::AddressUp { group, resource },
                State::Inactive => What::AddressDown { group, resource },
            });
        }
        match (missing_before, self.missing(group)) {
            (0, 1..) => seen.push(What::GroupDown { group: name.clone() }),
            (1.., 0) => seen.push(What::GroupUp { group: name.clone() }),
            (0, 0) | (1.., 1..) => (),
        }
        match (active_before, self.active(group), state) {
            (0, 1.., State::Active { epoch, .. }) => seen.push(What::HoldBegan { group: name, epoch }),
            (1.., 0, _) => seen.push(What::HoldEnded { group: name, by }),
            (_, _, State::Active { .. } | State::Inactive) => (),
        }
    }

    /// Which adapters of the network that addresses are on have a carrier from now on.
    pub fn set_carriers(&mut self, carriers: Vec<bool>) {
        self.carriers = carriers;
    }

    /// Whether a resource that is active can be reached: an address needs a carrier.
    fn is_reached(&self, index: usize) -> bool {
        let Resource { kind, adapter, .. } = self.list[index];
        kind != Kind::Address || self.carriers[adapter]
    }

    /// An address is put on the first adapter that has a carrier; anything else is where it is.
    fn place(&mut self, index: usize) {
        if let Some(good) = self.carriers.iter().position(|carrier| *carrier) {
            self.list[index].adapter = good;
        }
    }

    /// An address that is up.
    pub fn addresses_up(&self) -> Vec<usize> {
        let up = |index: &usize| {
            self.list[*index].kind == Kind::Address && self.list[*index].state != State::Inactive
        };
        self.indices().filter(up).collect()
    }

    /// Operations of some kind begin to go wrong.
    pub fn ail(&mut self, id: u32, ailment: Ailment) {
        self.ailments.push((id, ailment));
    }

    /// They are well again.
    pub fn cure(&mut self, id: u32) {
        self.ailments.retain(|(known, _)| *known != id);
    }

    /// All are well again.
    pub fn cure_all(&mut self) {
        self.ailments.clear();
    }

    /// Whether anything ails at all.
    pub fn ails(&self) -> bool {
        !self.ailments.is_empty()
    }

    fn diagnose(&mut self, verb: Ailing) -> Option<How> {
        let Resources { ailments, random, .. } = self;
        // What cannot be killed cannot be stopped either.
        let concerns = |ailing| ailing == verb || (ailing == Ailing::Kill && verb == Ailing::Stop);
        let mut concerned = ailments.iter().map(|(_, ailment)| ailment).filter(|ail| concerns(ail.verb));
        concerned.find(|ailment| random.chance(ailment.millionths)).map(|ailment| ailment.how)
    }

    /// How long it takes the deadman to kill one resource; never, if kills hang or fail here.
    pub fn deadman_kill(&mut self) -> Option<Span> {
        let (low, high) = duration(Ailing::Kill, Kind::Application);
        match self.diagnose(Ailing::Kill) {
            Some(How::Slow | How::Hang | How::Fail | How::Lie) => None,
            None => Some(self.random.span(low, high)),
        }
    }

    /// An operation begins. `Err` is its answer if it cannot.
    pub fn begin(
        &mut self,
        index: usize,
        start: u64,
        operation: Operation,
        seen: &mut Vec<What>,
    ) -> Result<Begun, OperationResult> {
        let interrupted = self.make_way(index, operation.verb)?;
        let verb = ailing(operation.verb);
        let how = self.diagnose(verb);
        let (low, high) = duration(verb, self.list[index].kind);
        let takes = self.random.span_by_magnitude(low, high);
        let after = match how {
            Some(How::Hang) => operation.limit,
            Some(How::Slow) => (takes * 50).min(operation.limit),
            Some(How::Fail | How::Lie) | None => takes.min(operation.limit),
        };
        let how = if after == operation.limit { Some(How::Hang) } else { how };
        if verb == Ailing::Start {
            self.begin_start(index, operation.epoch, seen);
        }
        self.list[index].busy = match verb {
            Ailing::Start | Ailing::Stop | Ailing::Kill => Some(Busy { start, operation, how }),
            Ailing::Probe | Ailing::Scout | Ailing::Monitor => self.list[index].busy.take(),
        };
        Ok(Begun { after, interrupted })
    }

    /// Starting something makes it active, if only in part.
    fn begin_start(&mut self, index: usize, epoch: OwnershipEpoch, seen: &mut Vec<What>) {
        if !matches!(self.list[index].state, State::Active { whole: true, .. }) {
            self.set(index, State::Active { epoch, whole: false }, HoldEnd::LetGo, seen);
        }
    }

    /// What is under way gives way to a kill, a start to a stop; anything else has to wait its turn.
    fn make_way(&mut self, index: usize, verb: Verb) -> Result<Option<Answer>, OperationResult> {
        let Some(busy) = self.list[index].busy.take() else { return Ok(None) };
        let gives_way = match ailing(verb) {
            Ailing::Kill => true,
            Ailing::Stop => matches!(busy.operation.verb, Verb::Start(_)),
            Ailing::Start => false,
            Ailing::Probe | Ailing::Scout | Ailing::Monitor => {
                self.list[index].busy = Some(busy);
                return Ok(None);
            }
        };
        if !gives_way {
            self.list[index].busy = Some(busy);
            return Err(OperationResult::Failed("another operation is under way".into()));
        }
        let result = OperationResult::Failed("cut short by another operation".into());
        Ok(Some(Answer { start: busy.start, operation: busy.operation, result }))
    }

    /// A look is over: what it saw.
    pub fn looked(&mut self, index: usize, operation: &Operation, after: Span) -> OperationResult {
        let verb = ailing(operation.verb);
        if after >= operation.limit {
            return OperationResult::TimedOut;
        }
        match (self.diagnose(verb), verb, self.list[index].state) {
            (Some(How::Fail), _, _) => OperationResult::Failed("an error".into()),
            (_, Ailing::Scout, _) => OperationResult::Done,
            (_, Ailing::Monitor, State::Active { whole: true, .. }) if self.is_reached(index) => {
                OperationResult::Done
            }
            (_, Ailing::Monitor, State::Active { .. } | State::Inactive) => {
                OperationResult::Failed("not well".into())
            }
            (_, _, State::Active { epoch, .. }) => OperationResult::Active { epoch: Some(epoch) },
            (_, _, State::Inactive) => OperationResult::Inactive,
        }
    }

    /// A start, stop or kill is over; `None` if it was cut short before.
    pub fn over(
        &mut self,
        index: usize,
        id: OperationId,
        start: u64,
        seen: &mut Vec<What>,
    ) -> Option<Answer> {
        let ours = |busy: &Busy| busy.operation.id == id && busy.start == start;
        let Busy { start, operation, how } = self.list[index].busy.take_if(|busy| ours(busy))?;
        let result = match operation.verb {
            Verb::Start(_) => self.started(index, how, seen),
            Verb::Stop | Verb::Kill => self.stopped(index, how, seen),
            Verb::Probe | Verb::Scout | Verb::Monitor => unreachable!("looks are never busy"),
        };
        Some(Answer { start, operation, result })
    }

    fn started(&mut self, index: usize, how: Option<How>, seen: &mut Vec<What>) -> OperationResult {
        let State::Active { epoch, .. } = self.list[index].state else {
            return OperationResult::Failed("it was killed while it started".into());
        };
        let gone = self.random.coin();
        self.place(index);
        if !self.is_reached(index) {
            self.set(index, State::Inactive, HoldEnd::LetGo, seen);
            return OperationResult::Failed("no interface has a carrier".into());
        }
        match how {
            Some(How::Fail | How::Hang) if gone => self.set(index, State::Inactive, HoldEnd::LetGo, seen),
            Some(How::Lie) => self.set(index, State::Inactive, HoldEnd::LetGo, seen),
            Some(How::Fail | How::Hang) => (),
            Some(How::Slow) | None => {
                self.set(index, State::Active { epoch, whole: true }, HoldEnd::LetGo, seen);
            }
        }
        match (told(how), self.list[index].kind) {
            (OperationResult::Done, Kind::Address) => {
                OperationResult::Placed { interface: format!("eth{}", self.list[index].adapter) }
            }
            (result, Kind::Address | Kind::Application | Kind::Disk) => result,
        }
    }

    fn stopped(&mut self, index: usize, how: Option<How>, seen: &mut Vec<What>) -> OperationResult {
        if matches!(how, Some(How::Slow) | None) {
            self.set(index, State::Inactive, HoldEnd::LetGo, seen);
        }
        told(how)
    }

    /// Something dies of itself, or is killed. `true` if it was active.
    pub fn die(&mut self, index: usize, by: HoldEnd, seen: &mut Vec<What>) -> bool {
        let was_active = self.list[index].state != State::Inactive;
        if was_active {
            self.set(index, State::Inactive, by, seen);
        }
        was_active
    }

    /// A new daemon first ends what an older one's operations left running.
    pub fn end_operations(&mut self, seen: &mut Vec<What>) {
        for index in self.indices() {
            let Some(busy) = self.list[index].busy.take() else { continue };
            if matches!(busy.operation.verb, Verb::Start(_)) && self.random.coin() {
                self.die(index, HoldEnd::LetGo, seen);
            }
        }
    }

    /// The host is gone.
    pub fn power_off(&mut self, seen: &mut Vec<What>) {
        for index in self.indices() {
            self.list[index].busy = None;
            self.die(index, HoldEnd::Torn, seen);
        }
    }
}

fn told(how: Option<How>) -> OperationResult {
    match how {
        Some(How::Fail) => OperationResult::Failed("an error".into()),
        Some(How::Hang) => OperationResult::TimedOut,
        Some(How::Slow | How::Lie) | None => OperationResult::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::MILLION;
    use phalanx_types::{Permit, Tick, ViewId};

    const START: Verb = Verb::Start(Permit { view: ViewId::NONE, valid_until: Tick::NEVER });

    struct Bench {
        resources: Resources,
        seen: Vec<What>,
        id: u64,
    }

    impl Bench {
        fn new() -> Bench {
            let setting = Setting::plain(3, 1);
            Bench { resources: Resources::new(1, 1, &setting), seen: Vec::new(), id: 0 }
        }

        fn operation(&mut self, index: usize, verb: Verb) -> Operation {
            self.id += 1;
            let (group, resource) = self.resources.name(index);
            let (group, resource) = (group.clone(), resource.clone());
            let (id, epoch, limit) = (OperationId(self.id), OwnershipEpoch(7), Span::from_secs(10));
            Operation { id, group, resource, verb, epoch, limit }
        }

        /// Runs one operation from beginning to end.
        fn run(&mut self, index: usize, verb: Verb) -> OperationResult {
            let operation = self.operation(index, verb);
            let begun = match self.resources.begin(index, 1, operation.clone(), &mut self.seen) {
                Ok(begun) => begun,
                Err(result) => return result,
            };
            match verb {
                Verb::Probe | Verb::Scout | Verb::Monitor => {
                    self.resources.looked(index, &operation, begun.after)
                }
                Verb::Start(_) | Verb::Stop | Verb::Kill => {
                    self.resources.over(index, operation.id, 1, &mut self.seen).unwrap().result
                }
            }
        }

        fn ail(&mut self, verb: Ailing, how: How) {
            self.resources.cure_all();
            self.resources.ail(1, Ailment { verb, how, millionths: MILLION });
        }
    }

    #[test]
    fn a_group_is_held_from_the_first_start_to_the_last_stop() {
        let mut bench = Bench::new();
        let count = bench.resources.list.iter().filter(|resource| resource.group == 0).count();
        let is_done = |result| matches!(result, OperationResult::Done | OperationResult::Placed { .. });
        (0..count).for_each(|index| assert!(is_done(bench.run(index, START))));
        assert!(matches!(bench.seen[1], What::HoldBegan { .. }), "after the address: {:?}", bench.seen);
        assert!(matches!(bench.seen.last(), Some(What::GroupUp { .. })));
        (0..count).rev().for_each(|index| assert_eq!(bench.run(index, Verb::Stop), OperationResult::Done));
        assert!(matches!(bench.seen.last(), Some(What::HoldEnded { by: HoldEnd::LetGo, .. })));
        assert!(!bench.resources.holding());
    }

    #[test]
    fn a_stop_that_lies_is_found_by_a_probe_and_ended_by_a_kill() {
        let mut bench = Bench::new();
        bench.run(0, START);
        bench.ail(Ailing::Stop, How::Lie);
        assert_eq!(bench.run(0, Verb::Stop), OperationResult::Done);
        assert!(matches!(
            bench.run(0, Verb::Probe),
            OperationResult::Active { epoch: Some(OwnershipEpoch(7)) }
        ));
        assert_eq!(bench.run(0, Verb::Kill), OperationResult::Done);
        assert_eq!(bench.run(0, Verb::Probe), OperationResult::Inactive);
    }

    #[test]
    fn a_hanging_operation_times_out() {
        let mut bench = Bench::new();
        bench.run(0, START);
        bench.ail(Ailing::Stop, How::Hang);
        assert_eq!(bench.run(0, Verb::Stop), OperationResult::TimedOut);
        assert!(bench.resources.holding());
    }

    #[test]
    fn a_stop_cuts_a_start_short_and_a_start_waits_for_a_stop() {
        let mut bench = Bench::new();
        let start = bench.operation(0, START);
        bench.resources.begin(0, 1, start.clone(), &mut bench.seen).unwrap();
        let stop = bench.operation(0, Verb::Stop);
        let begun = bench.resources.begin(0, 1, stop, &mut bench.seen).unwrap();
        assert_eq!(begun.interrupted.unwrap().operation, start);
        assert!(matches!(bench.run(0, START), OperationResult::Failed(_)));
    }

    #[test]
    fn what_is_killed_while_it_starts_has_not_started() {
        let mut bench = Bench::new();
        let start = bench.operation(0, START);
        bench.resources.begin(0, 1, start.clone(), &mut bench.seen).unwrap();
        assert!(bench.resources.die(0, HoldEnd::Torn, &mut bench.seen));
        let answer = bench.resources.over(0, start.id, 1, &mut bench.seen).unwrap();
        assert!(matches!(answer.result, OperationResult::Failed(_)));
    }
}
