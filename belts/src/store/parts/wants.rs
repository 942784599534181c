//! Merges the subscriptions of a store's sessions: which event types start which functions.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use crate::store::Subscription;

/// The subscriptions of one session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionSubscriptions {
    /// Whether the session is alive, or expired less than a day ago.
    pub living: bool,
    /// Its functions, with the event types that they subscribe to.
    pub subscriptions: Arc<[Subscription]>,
}

impl SessionSubscriptions {
    /// The subscriptions of a session that is alive, or expired less than a day ago (`living`), or that has ended.
    pub fn new(living: bool, subscriptions: impl Into<Arc<[Subscription]>>) -> Self {
        Self {
            living,
            subscriptions: subscriptions.into(),
        }
    }
}

/// The subscriptions of all sessions of a store.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergedSubscriptions {
    /// The event types of each function.
    pub functions: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The indexes of ended sessions whose subscriptions no longer count, since a living session has a function of the same
    /// program.
    pub superseded: Vec<usize>,
}

/// Merges the subscriptions of living sessions, and of ended ones that no living session of the same program has superseded.
///
/// ```
/// use belts::store::{Subscription, parts::{SessionSubscriptions, merge_subscriptions}};
/// let before = [Subscription::new("ship-order", ["order-created"]), Subscription::new("removed", ["order-created"])];
/// let after = [Subscription::new("ship-order", ["order-created"])];
/// let merged = merge_subscriptions(&[SessionSubscriptions::new(false, before), SessionSubscriptions::new(true, after.clone())]);
/// assert_eq!(merged.subscriptions(), after);
/// assert_eq!(merged.superseded, [0]);
/// ```
pub fn merge_subscriptions(all: &[SessionSubscriptions]) -> MergedSubscriptions {
    let spoken_for: HashSet<&Arc<str>> = all
        .iter()
        .filter(|wants| wants.living)
        .flat_map(|wants| wants.subscriptions.iter())
        .map(|subscription| &subscription.function_id)
        .collect();
    let mut merged = MergedSubscriptions::default();
    for (place, wants) in all.iter().enumerate() {
        let superseded = !wants.living
            && wants
                .subscriptions
                .iter()
                .any(|subscription| spoken_for.contains(&subscription.function_id));
        if superseded {
            merged.superseded.push(place);
            continue;
        }
        for subscription in wants.subscriptions.iter() {
            merged
                .functions
                .entry(Arc::clone(&subscription.function_id))
                .or_default()
                .extend(subscription.event_types.iter().cloned());
        }
    }
    merged
}

impl MergedSubscriptions {
    /// The functions that listen for anything, sorted by id.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let listening = self
            .functions
            .iter()
            .filter(|(_, event_types)| !event_types.is_empty());
        listening
            .map(|(function_id, event_types)| {
                Subscription::new(Arc::clone(function_id), event_types.iter().cloned())
            })
            .collect()
    }
}

/// Adds a row of a function and an event type, if it has one, where the rows of one function follow each other.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::store) fn add_row(
    all: &mut Vec<Subscription>,
    function_id: Arc<str>,
    event_type: Option<Arc<str>>,
) {
    match all.last_mut() {
        Some(last) if last.function_id == function_id => last.event_types.extend(event_type),
        _ => all.push(Subscription::new(function_id, event_type)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(living: bool, subscriptions: &[(&str, &[&str])]) -> SessionSubscriptions {
        let subscriptions = subscriptions
            .iter()
            .map(|(function, types)| Subscription::new(*function, types.iter().copied()));
        SessionSubscriptions {
            living,
            subscriptions: subscriptions.collect(),
        }
    }

    fn shown(all: &[SessionSubscriptions]) -> String {
        let merged = merge_subscriptions(all);
        let functions = merged.subscriptions().into_iter().map(|subscription| {
            format!(
                "{}({})",
                subscription.function_id,
                subscription.event_types.join(" ")
            )
        });
        let functions: Vec<_> = functions.collect();
        format!("{} superseded {:?}", functions.join(" "), merged.superseded)
    }

    #[test]
    fn living_sessions_count_and_ended_ones_until_they_are_superseded() {
        let old = |living| wants(living, &[("kept", &["placed"]), ("removed", &["placed"])]);
        let new = |living| wants(living, &[("kept", &["placed", "returned"])]);
        let other = |living| wants(living, &[("other", &["placed"])]);
        for (all, expected) in [
            (
                vec![old(true), new(true)],
                "kept(placed returned) removed(placed) superseded []",
            ),
            (
                vec![old(false), new(true)],
                "kept(placed returned) superseded [0]",
            ),
            (
                vec![new(false), old(true)],
                "kept(placed) removed(placed) superseded [0]",
            ),
            (
                vec![old(false), new(false)],
                "kept(placed returned) removed(placed) superseded []",
            ),
            (
                vec![old(false), other(true)],
                "kept(placed) other(placed) removed(placed) superseded []",
            ),
            (vec![wants(true, &[("idle", &[])])], " superseded []"),
        ] {
            assert_eq!(shown(&all), expected);
        }
    }
}
