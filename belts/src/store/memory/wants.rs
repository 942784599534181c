//! Which functions an event starts, in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::tables::Tables;
use crate::store::{
    Subscription, Timestamp,
    parts::{Wants, together},
};

impl Tables {
    /// Looks again at what the sessions want, now that one has come or has ended.
    pub(super) fn settle_wants(&mut self) {
        let ended = self
            .ended
            .iter()
            .map(|wants| Wants::new(false, Arc::clone(wants)));
        let sessions = self.sessions.values();
        let sessions = sessions.map(|session| Wants::new(true, Arc::clone(&session.wants)));
        let all: Vec<Wants> = ended.chain(sessions).collect();
        let together = together(&all);
        let fallen: HashSet<usize> = together.fallen.iter().copied().collect();
        let mut place = 0..;
        self.ended
            .retain(|_| place.next().is_none_or(|place| !fallen.contains(&place)));
        self.subscriptions = together.subscriptions();
        self.index_subscribers();
    }

    /// The functions that a living session has.
    pub(super) fn living_functions(&self, now: Timestamp) -> HashSet<Arc<str>> {
        self.sessions
            .values()
            .filter(|session| now < session.lease_until)
            .flat_map(|session| session.wants.iter())
            .map(|subscription| Arc::clone(&subscription.function_id))
            .collect()
    }

    /// Drops what ended sessions wanted for a function.
    pub(super) fn forget_wants(&mut self, function: &str) {
        let without = |wants: &Arc<[Subscription]>| {
            let others = wants
                .iter()
                .filter(|wanted| *wanted.function_id != *function);
            others.cloned().collect()
        };
        for wants in &mut self.ended {
            *wants = without(wants);
        }
        self.subscriptions
            .retain(|wanted| *wanted.function_id != *function);
        self.index_subscribers();
    }

    fn index_subscribers(&mut self) {
        let mut subscribers: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for subscription in self.subscriptions.clone() {
            let function = self.function(&subscription.function_id);
            for event_type in subscription.event_types {
                subscribers.entry(event_type).or_default().push(function);
            }
        }
        self.subscribers = subscribers
            .into_iter()
            .map(|(event_type, functions)| (event_type, functions.into()))
            .collect();
    }
}
