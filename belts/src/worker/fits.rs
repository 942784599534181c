//! Whether a received event is one that somebody takes, and whether this program can read it.

use std::sync::Arc;

use super::Shared;
use crate::{
    dispatch::wire,
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    store::Target,
};

impl Shared {
    /// The event's correlation key, if somebody takes the event and it fits.
    pub(crate) async fn check(
        &self,
        event: &wire::WireEvent,
        function: Option<&str>,
    ) -> Result<Option<Arc<str>>> {
        let event_type = &*event.event_type;
        if function.is_none() {
            may_be_published(event_type)?;
        }
        match (function, function.map(|id| self.registry.get(id))) {
            (Some(id), Some(Some(function))) => {
                let types = function.def.events.iter().copied().flatten().copied();
                takes(id, &types.collect::<Vec<_>>(), event_type)?;
                return function.check(event_type, &event.payload);
            }
            (Some(id), _) => {
                let subscriptions = self.store.subscriptions().await?;
                let Some(function) = subscriptions
                    .iter()
                    .find(|function| *function.function_id == *id)
                else {
                    let known = list(subscriptions.iter().map(|function| &*function.function_id));
                    return Err(Error::new(
                        ErrorKind::UnknownFunction,
                        format!("no function has the id `{id}`; there are: {known}"),
                    ));
                };
                let types = function.event_types.iter().map(|known| &**known);
                takes(id, &types.collect::<Vec<_>>(), event_type)?;
            }
            (None, _)
                if self.registry.listeners(event_type).next().is_none()
                    && !self.registry.awaits(event_type) =>
            {
                self.known(event_type).await?;
            }
            (None, _) => {}
        }
        self.registry.check(event_type, &event.payload)
    }

    /// Whether anybody takes an event type that this program takes nowhere.
    async fn known(&self, event_type: &str) -> Result<()> {
        let subscriptions = self.store.subscriptions().await?;
        let awaited = self.store.awaited().await?;
        if awaited.iter().any(|known| **known == *event_type) {
            return if self.registry.links(event_type) {
                Ok(())
            } else {
                Err(keyless(event_type))
            };
        }
        let subscribed = subscriptions
            .iter()
            .flat_map(|function| &function.event_types);
        if subscribed.clone().any(|known| **known == *event_type) {
            return Ok(());
        }
        let known = subscribed.chain(&awaited).map(|known| &**known);
        let known = list(known.filter(|known| may_be_published(known).is_ok()));
        Err(Error::new(
            ErrorKind::UnknownEvent,
            format!("no function takes the event type `{event_type}`; known types: {known}"),
        ))
    }

    /// Whether this program can read an event that it delivers to itself: its runs would be left to other versions, and the
    /// caller wait for these.
    pub(super) fn reads(&self, target: &Target, event: &EncodedEvent) -> Result<()> {
        let function = match target {
            Target::Function { function_id, .. } => self.registry.get(function_id),
            Target::Subscribers { .. } => None,
        };
        match function {
            Some(function) => function.check(&event.event_type, &event.payload)?,
            None => self.registry.check(&event.event_type, &event.payload)?,
        };
        Ok(())
    }
}

pub(super) fn takes(function: &str, types: &[&str], event_type: &str) -> Result<()> {
    if types.contains(&event_type) {
        return Ok(());
    }
    let known = list(types.iter().copied());
    Err(Error::new(
        ErrorKind::Config,
        format!("the function `{function}` does not take `{event_type}`; it takes: {known}"),
    ))
}

/// Refuses the types of events that only belts makes. Whoever publishes one names the function that is to take it.
pub(super) fn may_be_published(event_type: &str) -> Result<()> {
    if !event_type.starts_with("belts.") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::UnknownEvent,
        format!(
            "the event type `{event_type}` is one of belts' own and cannot be published; types that begin with `belts.` are reserved"
        ),
    ))
}

/// The error of an event for which runs wait by its correlation key, which this program cannot tell.
fn keyless(event_type: &str) -> Error {
    Error::new(
        ErrorKind::UnknownEvent,
        format!(
            "runs wait for the event type `{event_type}`, and its correlation key is computed by the event's Rust type, which this \
             program does not contain; publish from a program that does, or link the crate that defines it"
        ),
    )
}

/// The words in order, each once, and not too many.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 50;
    let words: std::collections::BTreeSet<_> = words.collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    let more = if words.len() > MOST { ", …" } else { "" };
    words.into_iter().take(MOST).collect::<Vec<_>>().join(", ") + more
}
