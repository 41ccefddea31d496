//! The real core: the very node that the daemon runs, in as many copies as the seed has nodes.

use crate::node::{Factory, SimNode};
use crate::setting::Setting;
use phalanx_ledger::Ledger;
use phalanx_node::{Birth, Effect, Input, Node};
use phalanx_types::{Plot, Tick};

/// Makes real cores, with a bug planted or without.
#[derive(Clone, Copy, Debug)]
pub struct Cores(pub Plot);

impl SimNode for Node {
    fn step(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        Node::step(self, now, input, out);
    }

    fn wake_at(&self) -> Tick {
        Node::wake_at(self)
    }
}

impl Factory for Cores {
    type Node = Node;

    fn first_ledger(&self, setting: &Setting) -> Vec<u8> {
        Ledger::begin(setting.text()).to_image()
    }

    fn born(&self, birth: Birth, out: &mut Vec<Effect>) -> Node {
        let birth = Birth { plot: self.0, ..birth };
        Node::new(birth, out).unwrap_or_else(|unborn| panic!("a node could not be born: {unborn:?}"))
    }

    #[cfg(feature = "planted")]
    fn planted(&self) -> Vec<(&'static str, Cores)> {
        phalanx_types::Bug::ALL.map(|(name, bug)| (name, Cores(Plot::of(bug)))).to_vec()
    }
}
