//! What the sessions of a store want together: which event types start which functions.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use super::Subscription;

/// What one session wants, or wanted.
#[derive(Debug, Clone)]
pub(super) struct Wants {
    /// Whether the session lives, or has died less than a day ago.
    pub(super) living: bool,
    pub(super) subscriptions: Arc<[Subscription]>,
}

/// What they want together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Together {
    /// The event types of each function.
    pub(super) functions: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The places of those whose session has ended and which have fallen, since a living one speaks for their program.
    pub(super) fallen: Vec<usize>,
}

/// Joins what living sessions want with what ended ones wanted whose program nobody living speaks for.
pub(super) fn together(all: &[Wants]) -> Together {
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
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let listening = self
            .functions
            .iter()
            .filter(|(_, event_types)| !event_types.is_empty());
        listening
            .map(|(function_id, event_types)| Subscription {
                function_id: Arc::clone(function_id),
                event_types: event_types.iter().cloned().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(living: bool, subscriptions: &[(&str, &[&str])]) -> Wants {
        let subscriptions = subscriptions.iter().map(|(function, types)| Subscription {
            function_id: (*function).into(),
            event_types: types.iter().map(|name| Arc::from(*name)).collect(),
        });
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
