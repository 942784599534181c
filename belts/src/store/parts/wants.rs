//! What the sessions of a store want together: which event types start which functions.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use crate::store::Subscription;

/// What one session wants, or wanted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Wants {
    /// Whether the session lives, or has died less than a day ago.
    pub living: bool,
    /// The functions that it has, with the event types that they listen for.
    pub subscriptions: Arc<[Subscription]>,
}

impl Wants {
    /// What a session wants: whether it lives, or has died less than a day ago, and the functions that it has.
    pub fn new(living: bool, subscriptions: impl Into<Arc<[Subscription]>>) -> Self {
        Self {
            living,
            subscriptions: subscriptions.into(),
        }
    }
}

/// What the sessions of a store want together.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Together {
    /// The event types of each function.
    pub functions: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The places of those whose session has ended and which have fallen, since a living one speaks for their program.
    pub fallen: Vec<usize>,
}

/// Joins what living sessions want with what ended ones wanted whose program nobody living speaks for.
///
/// ```
/// use belts::store::{Subscription, parts::{Wants, together}};
/// let before = [Subscription::new("ship-order", ["order-created"]), Subscription::new("removed", ["order-created"])];
/// let after = [Subscription::new("ship-order", ["order-created"])];
/// let together = together(&[Wants::new(false, before), Wants::new(true, after.clone())]);
/// assert_eq!(together.subscriptions(), after);
/// assert_eq!(together.fallen, [0]);
/// ```
pub fn together(all: &[Wants]) -> Together {
    let spoken_for: HashSet<&Arc<str>> = all
        .iter()
        .filter(|wants| wants.living)
        .flat_map(|wants| wants.subscriptions.iter())
        .map(|subscription| &subscription.function_id)
        .collect();
    let mut together = Together::default();
    for (place, wants) in all.iter().enumerate() {
        let fallen = !wants.living
            && wants
                .subscriptions
                .iter()
                .any(|subscription| spoken_for.contains(&subscription.function_id));
        if fallen {
            together.fallen.push(place);
            continue;
        }
        for subscription in wants.subscriptions.iter() {
            together
                .functions
                .entry(Arc::clone(&subscription.function_id))
                .or_default()
                .extend(subscription.event_types.iter().cloned());
        }
    }
    together
}

impl Together {
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

    fn wants(living: bool, subscriptions: &[(&str, &[&str])]) -> Wants {
        let subscriptions = subscriptions
            .iter()
            .map(|(function, types)| Subscription::new(*function, types.iter().copied()));
        Wants {
            living,
            subscriptions: subscriptions.collect(),
        }
    }

    fn shown(all: &[Wants]) -> String {
        let together = together(all);
        let functions = together.subscriptions().into_iter().map(|subscription| {
            format!(
                "{}({})",
                subscription.function_id,
                subscription.event_types.join(" ")
            )
        });
        let functions: Vec<_> = functions.collect();
        format!("{} fallen {:?}", functions.join(" "), together.fallen)
    }

    #[test]
    fn the_living_want_together_and_the_ended_stand_until_somebody_speaks_for_them() {
        let old = |living| wants(living, &[("kept", &["placed"]), ("removed", &["placed"])]);
        let new = |living| wants(living, &[("kept", &["placed", "returned"])]);
        let other = |living| wants(living, &[("other", &["placed"])]);
        for (all, expected) in [
            (
                vec![old(true), new(true)],
                "kept(placed returned) removed(placed) fallen []",
            ),
            (
                vec![old(false), new(true)],
                "kept(placed returned) fallen [0]",
            ),
            (
                vec![new(false), old(true)],
                "kept(placed) removed(placed) fallen [0]",
            ),
            (
                vec![old(false), new(false)],
                "kept(placed returned) removed(placed) fallen []",
            ),
            (
                vec![old(false), other(true)],
                "kept(placed) other(placed) removed(placed) fallen []",
            ),
            (vec![wants(true, &[("idle", &[])])], " fallen []"),
        ] {
            assert_eq!(shown(&all), expected);
        }
    }
}
