//! What the simulator needs of a node's core: to be stepped, to say when it wants to be woken, and to be born.

use crate::setting::Setting;
use phalanx_node::{Birth, Effect, Input};
use phalanx_types::Tick;

/// One life of one node's core.
pub trait SimNode {
    /// Takes an input at local time `now`, which never falls.
    fn step(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>);

    /// When it wants [`Input::Wake`] at the latest.
    fn wake_at(&self) -> Tick;
}

/// Makes cores. One factory for each planted bug, one without.
pub trait Factory: Clone + Send + Sync {
    /// What it makes.
    type Node: SimNode;

    /// The ledger that a new node finds on its disk: the cluster as it was created.
    fn first_ledger(&self, setting: &Setting) -> Vec<u8>;

    /// A new life. What it wants done at once goes to `out`; it is stepped with [`Input::Wake`] right after.
    fn born(&self, birth: Birth, out: &mut Vec<Effect>) -> Self::Node;

    /// Whether it is meant to bring groups online once all is well.
    fn is_live(&self) -> bool {
        true
    }

    /// Factories of cores that each have one bug planted, by name.
    fn planted(&self) -> Vec<(&'static str, Self)> {
        Vec::new()
    }
}
