//! What is remembered of views, and when it may be forgotten.
//!
//! A view matters as long as some living life may still install it or deliver in it: not once every living life has
//! installed a later one.

use crate::event::Event;
use phalanx_types::{Incarnation, NodeId, ViewId};
use std::collections::BTreeMap;

/// The view that each living life is in.
#[derive(Default)]
pub(crate) struct Horizon {
    current: BTreeMap<NodeId, (Incarnation, ViewId)>,
}

impl Horizon {
    /// Takes in an event; `true` if views may have dropped below the horizon.
    pub fn see(&mut self, event: &Event) -> bool {
        if let Some(install) = event.install() {
            self.current.insert(event.life.node, (event.life, install.view.id));
            return true;
        }
        if event.ends_life() {
            return self.current.remove(&event.life.node).is_some();
        }
        if matches!(event.what, crate::What::Started { .. }) {
            self.current.insert(event.life.node, (event.life, ViewId::NONE));
        }
        false
    }

    /// The view that this life is in; [`ViewId::NONE`] before its first.
    pub fn current(&self, life: Incarnation) -> ViewId {
        match self.current.get(&life.node) {
            Some((known, view)) if *known == life => *view,
            Some(_) | None => ViewId::NONE,
        }
    }

    /// No living life will install or deliver in a view before this one.
    pub fn floor(&self) -> ViewId {
        self.current.values().map(|(_, view)| *view).min().unwrap_or(ViewId::NONE)
    }
}

/// Something remembered for each view that still matters.
pub(crate) struct PerView<T> {
    horizon: Horizon,
    views: BTreeMap<ViewId, T>,
}

impl<T> Default for PerView<T> {
    fn default() -> Self {
        PerView { horizon: Horizon::default(), views: BTreeMap::new() }
    }
}

impl<T: Default> PerView<T> {
    /// Takes in an event and forgets what lies below the horizon. Call it last, so that a life which leaves a view
    /// is still judged by it.
    pub fn see(&mut self, event: &Event) {
        if self.horizon.see(event) {
            let floor = self.horizon.floor();
            while self.views.first_key_value().is_some_and(|(id, _)| *id < floor) {
                self.views.pop_first();
            }
        }
    }

    /// What is remembered of a view.
    pub fn get(&self, id: ViewId) -> Option<&T> {
        self.views.get(&id)
    }

    /// What is remembered of a view, to add to.
    pub fn of(&mut self, id: ViewId) -> &mut T {
        self.views.entry(id).or_default()
    }

    /// All views remembered, older first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&ViewId, &mut T)> {
        self.views.iter_mut()
    }

    /// How many views are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.views.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn a_view_is_forgotten_once_every_living_life_has_left_it() {
        let story = Story::new()
            .start(&[1, 2, 3])
            .install(&[1, 2, 3], 5, &[1, 2, 3], 0)
            .install(&[1, 2], 6, &[1, 2], 5)
            .install(&[1, 2], 7, &[1, 2], 6);
        let mut views: PerView<u32> = PerView::default();
        story.events().for_each(|event| {
            if let Some(install) = event.install() {
                *views.of(install.view.id) += 1;
            }
            views.see(&event);
        });
        assert_eq!(views.len(), 3, "node 3 may still deliver in 5");
        Story::new().crash(3).events().for_each(|event| views.see(&event));
        assert_eq!(views.len(), 1);
    }
}
