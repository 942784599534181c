//! Which functions an event starts, in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::tables::{Tables, Wants};
use crate::store::{
    Timestamp,
    parts::{SessionSubscriptions, merge_subscriptions},
};

impl Tables {
    /// Looks again at what the sessions want, now that one has come or has ended.
    pub(super) fn settle_wants(&mut self, now: Timestamp) {
        let ended = self
            .ended
            .iter()
            .map(|wants| SessionSubscriptions::new(false, Arc::clone(&wants.subscriptions)));
        let sessions = self.sessions.values();
        let sessions = sessions.map(|session| {
            SessionSubscriptions::new(true, Arc::clone(&session.wants.subscriptions))
        });
        let all: Vec<SessionSubscriptions> = ended.chain(sessions).collect();
        let merged = merge_subscriptions(&all);
        let superseded: HashSet<usize> = merged.superseded.iter().copied().collect();
        let mut place = 0..;
        self.ended.retain(|_| {
            place
                .next()
                .is_none_or(|place| !superseded.contains(&place))
        });
        self.subscriptions = merged.subscriptions();
        self.index_subscribers();
        self.settle_awaits(now);
    }

    /// The functions that a living session has.
    pub(super) fn living_functions(&self, now: Timestamp) -> HashSet<Arc<str>> {
        self.sessions
            .values()
            .filter(|session| now < session.lease_until)
            .flat_map(|session| session.wants.subscriptions.iter())
            .map(|subscription| Arc::clone(&subscription.function_id))
            .collect()
    }

    /// Drops what ended sessions wanted for a function.
    pub(super) fn forget_wants(&mut self, function: &str, now: Timestamp) {
        let without = |wants: &Wants| {
            let subscriptions = wants.subscriptions.iter();
            let subscriptions = subscriptions.filter(|wanted| *wanted.function_id != *function);
            let awaits = wants.awaits.iter();
            let awaits = awaits.filter(|awaits| *awaits.function_id != *function);
            Wants {
                subscriptions: subscriptions.cloned().collect(),
                awaits: awaits.cloned().collect(),
            }
        };
        for wants in &mut self.ended {
            *wants = without(wants);
        }
        self.subscriptions
            .retain(|wanted| *wanted.function_id != *function);
        self.index_subscribers();
        self.settle_awaits(now);
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
