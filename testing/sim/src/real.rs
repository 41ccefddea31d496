//! The core that ships, as the simulator runs it.

use crate::node::{Factory, SimNode};
use crate::setting::Setting;
use phalanx_ledger::Ledger;
use phalanx_node::{Birth, Effect, Input, Node};
use phalanx_types::{Plot, Tick};

/// Makes cores that ship, with a bug planted or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real {
    plot: Plot,
}

impl Factory for Real {
    type Node = Node;

    fn first_ledger(&self, setting: &Setting) -> Vec<u8> {
        Ledger::begin(setting.text()).to_image()
    }

    fn born(&self, birth: Birth, out: &mut Vec<Effect>) -> Node {
        let birth = Birth { plot: self.plot, ..birth };
        Node::new(birth, out).unwrap_or_else(|why| panic!("the simulator keeps its disks well: {why:?}"))
    }

    #[cfg(feature = "planted")]
    fn planted(&self) -> Vec<(&'static str, Real)> {
        let plant = |(name, bug)| (name, Real { plot: Plot::of(bug) });
        phalanx_types::Bug::ALL.into_iter().map(plant).collect()
    }
}

impl SimNode for Node {
    fn step(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        Node::step(self, now, input, out);
    }

    fn wake_at(&self) -> Tick {
        Node::wake_at(self)
    }
}
