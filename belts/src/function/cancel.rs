//! `cancel_on`: the event that cancels the runs of a function.

use std::{fmt, sync::Arc};

use super::ask::Ask;
use crate::{
    error::Result,
    event::{EventSet, key::HasKey},
};

/// What a function says of the events that cancel its runs.
#[derive(Clone, Copy)]
pub struct CancelOn {
    /// Their types, in one list for each type that `cancel_on` names.
    pub events: &'static [&'static [&'static str]],
    /// The correlation key of an event that starts a run, whether the event is valid or not.
    pub key: Ask<Option<Arc<str>>>,
}

impl fmt::Debug for CancelOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelOn")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// An event that may cancel the runs that another one starts: both have a correlation key, and of one type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cancel the runs that `{E}` starts: it has to be an event, and both need a correlation key of one type",
    label = "not an event with a key of the type that `{E}` has",
    note = "an event cancels the runs that an event with the same key has started: give both `#[event(key = …)]` on fields of one \
            type, such as `#[event(key = order_id)]` with `order_id: String`"
)]
pub trait Cancels<E> {
    /// The types of this event.
    const TYPES: &'static [&'static str];

    /// The correlation key of the event that starts a run.
    ///
    /// # Errors
    /// This program cannot read it.
    fn key(event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>>;
}

#[diagnostic::do_not_recommend]
impl<E, C> Cancels<E> for C
where
    E: EventSet,
    C: EventSet,
    E::Key: HasKey,
    C::Key: HasKey<Of = <E::Key as HasKey>::Of>,
{
    const TYPES: &'static [&'static str] = C::TYPES;

    fn key(event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
        Ok(E::decode(event_type, payload)?.encode()?.correlation_key)
    }
}
