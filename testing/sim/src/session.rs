//! Which two lives can talk: a frame is sealed for one life, and a new life needs a round trip before it hears any.

/// One session between two nodes, of one life each.
#[derive(Clone, Copy, Debug, Default)]
struct Session {
    /// The start numbers of the lower and of the higher node.
    lives: (u64, u64),
    /// When the handshake is done.
    ready: u64,
}

/// All sessions.
pub struct Sessions {
    nodes: usize,
    table: Vec<Session>,
}

/// How two lives stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They can talk.
    Ready,
    /// Their handshake is under way.
    Greeting,
    /// They have not met.
    Strangers,
}

impl Sessions {
    /// None yet.
    pub fn new(nodes: usize) -> Sessions {
        Sessions { nodes, table: vec![Session::default(); nodes * nodes] }
    }

    /// The session of two nodes, and their lives in its order.
    fn slot(&self, a: (usize, u64), b: (usize, u64)) -> (usize, (u64, u64)) {
        let (low, high) = if a.0 < b.0 { (a, b) } else { (b, a) };
        (low.0 * self.nodes + high.0, (low.1, high.1))
    }

    /// How the lives (node, start) `a` and `b` stand at `now`.
    pub fn standing(&self, a: (usize, u64), b: (usize, u64), now: u64) -> Standing {
        let (index, lives) = self.slot(a, b);
        let session = self.table[index];
        match session.lives == lives {
            true if session.ready <= now => Standing::Ready,
            true => Standing::Greeting,
            false => Standing::Strangers,
        }
    }

    /// The lives greet each other; they can talk from `ready` on.
    pub fn greet(&mut self, a: (usize, u64), b: (usize, u64), ready: u64) {
        let (index, lives) = self.slot(a, b);
        self.table[index] = Session { lives, ready };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_life_has_to_greet_first() {
        let mut sessions = Sessions::new(2);
        assert_eq!(sessions.standing((0, 1), (1, 1), 0), Standing::Strangers);
        sessions.greet((0, 1), (1, 1), 5);
        assert_eq!(sessions.standing((1, 1), (0, 1), 4), Standing::Greeting);
        assert_eq!(sessions.standing((1, 1), (0, 1), 5), Standing::Ready);
        assert_eq!(sessions.standing((1, 2), (0, 1), 9), Standing::Strangers);
    }
}
