//! What a subscriber is told of a group: what it wants to hear, and has not heard.

use crate::list::Providers;
use crate::request::Wants;
use crate::told::News;
use phalanx_groups::domain::{ProviderId, Standing, StateValue};
use std::collections::BTreeSet;

/// A subscription, and what its subscriber knows. At first that is nothing.
#[derive(Clone, Debug)]
pub struct Subscription {
    wants: Wants,
    state: Option<StateValue>,
    members: Option<Vec<ProviderId>>,
}

impl Subscription {
    /// A subscriber that wants to hear this.
    pub fn new(wants: Wants) -> Subscription {
        Subscription { wants, state: None, members: None }
    }

    /// The group is like this; what its subscriber hears of it. The first time it hears something in any case.
    pub fn news(&mut self, standing: Standing) -> Option<News> {
        let Standing { members, state } = standing;
        let first = self.members.is_none();
        let before = self.members.replace(members.clone());
        let other_state = self.state.replace(state.clone()).as_ref() != Some(&state);
        let other_members = before.as_ref() != Some(&members);
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (before.into_iter().flatten().collect(), members.iter().copied().collect());
        let between = |from: &BTreeSet<ProviderId>, to: &BTreeSet<ProviderId>, wanted: bool| -> Providers {
            to.difference(from).copied().filter(|_| wanted).collect()
        };
        let (came, left) = (between(&old, &new, self.wants.joins), between(&new, &old, self.wants.leaves));
        let state = Some(state).filter(|_| self.wants.state && other_state);
        let members = Some(Providers(members)).filter(|_| self.wants.members && other_members);
        let something = state.is_some() || members.is_some() || !came.0.is_empty() || !left.0.is_empty();
        (first || something).then_some(News::Changed { state, members, came, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Incarnation, NodeId};

    fn providers(nodes: &[u16]) -> Vec<ProviderId> {
        let life = |node: &u16| Incarnation { node: NodeId(*node), start: 1 };
        nodes.iter().map(|node| ProviderId { life: life(node), instance: 1 }).collect()
    }

    fn standing(nodes: &[u16], state: &str) -> Standing {
        Standing { members: providers(nodes), state: value(state) }
    }

    fn value(text: &str) -> StateValue {
        StateValue::new(text.into()).unwrap()
    }

    fn changed(state: Option<&str>, members: Option<&[u16]>, came: &[u16], left: &[u16]) -> Option<News> {
        let (members, state) = (members.map(providers).map(Providers), state.map(value));
        Some(News::Changed {
            state,
            members,
            came: Providers(providers(came)),
            left: Providers(providers(left)),
        })
    }

    #[test]
    fn who_wants_all_hears_all_at_first_and_then_what_changed() {
        let all = Wants { state: true, members: true, joins: true, leaves: true };
        let mut subscription = Subscription::new(all);
        let news =
            |subscription: &mut Subscription, nodes: &[u16], state| subscription.news(standing(nodes, state));
        assert_eq!(news(&mut subscription, &[2, 1], "a"), changed(Some("a"), Some(&[2, 1]), &[1, 2], &[]));
        assert_eq!(news(&mut subscription, &[2, 1], "b"), changed(Some("b"), None, &[], &[]));
        assert_eq!(news(&mut subscription, &[1, 3], "b"), changed(None, Some(&[1, 3]), &[3], &[2]));
        assert_eq!(news(&mut subscription, &[1, 3], "b"), None);
    }

    #[test]
    fn what_is_not_wanted_is_not_told() {
        let mut joins = Subscription::new(Wants { joins: true, ..Wants::default() });
        assert_eq!(joins.news(standing(&[1], "a")), changed(None, None, &[1], &[]));
        assert_eq!(joins.news(standing(&[1], "b")), None);
        assert_eq!(joins.news(standing(&[2], "b")), changed(None, None, &[2], &[]));
        assert_eq!(joins.news(standing(&[], "b")), None);
        let mut nothing = Subscription::new(Wants::default());
        assert_eq!(
            nothing.news(standing(&[1], "a")),
            changed(None, None, &[], &[]),
            "so it knows that it is one"
        );
        assert_eq!(nothing.news(standing(&[2], "b")), None);
    }
}
