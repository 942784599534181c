//! All that generated code may touch. Nothing here is for users, and it changes without notice.
#![doc(hidden)]

pub mod autoref;
mod events;
mod failures;
pub mod flow;
mod holds;

use std::{sync::Arc, time::Duration};

use serde::Serialize;

pub use std::format;

pub use inventory;
pub use serde;

pub use self::{
    events::{
        accepts, check, correlation_key, decode_event, decode_own, encode_event, encode_own,
        invalid, unknown_type,
    },
    failures::handled,
    holds::holds,
};
#[cfg(feature = "sqlite")]
pub use crate::step::in_sqlite;
#[cfg(feature = "postgres")]
pub use crate::step::{PgTransaction, PgTries};
pub use crate::{
    callback::{CallbackEntry, CallbackValue},
    event::{EncodedEvent, key},
    function::{
        Argument, ArmKey, Ask, AwaitEntry, Call, CancelOn, Cancels, Continuation, Definition,
        Driven, EventEntry, FunctionDef, FunctionEntry, FunctionOptions, Handled, Handles,
        HelperEntry, Invocation, KeyDef, OnCancel, Returned, TransactionKind, UNFINISHED,
        state::Need,
    },
    live::Context,
    publish::Publish,
    run::{Backoff, Location},
    schedule::{Missed, Overlap, ScheduleDef, Ticks, WhenDef},
    step::{
        AnyError, Attempted, Caught, Contend, Contender, ENDED_TYPES, Entered, Key, Race, Racing,
        Scope, Since, Slot, Step, StepOptions, StepsHelpersAreCalledWithScope, Undone, Unknown,
        of_any_error,
    },
};
use crate::{
    codec,
    error::Result,
    event::{self, EventSet},
};
#[cfg(feature = "sqlite")]
pub use rusqlite::Transaction as SqliteTransaction;

/// The mark of `tests/ui`: constants and functions below are called by name from `belts-macros/src/names.rs`.
pub fn call<E, R, D: Definition>(event: E, _: D) -> Call<E, R, D> {
    Call::new(event)
}

/// Ends an attempt: the output as an envelope, or the error.
pub fn finish<R>(returned: R) -> Result<Arc<[u8]>>
where
    R: Returned,
    R::Output: Serialize,
{
    codec::encode_ok(&returned.into_result()?)
}

pub fn publish<E: EventSet>(event: &E) -> Publish {
    Publish::new(event::checked(event))
}

/// A duration known at compile time.
pub const fn duration(secs: u64, nanos: u32) -> Duration {
    Duration::new(secs, nanos)
}
