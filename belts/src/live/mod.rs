//! A run while it is driven: what its step futures and its driver share.
//!
//! Step futures do no IO, but for a `transaction!`, which is recorded in the transaction that it commits. They ask the journal, leave what is to be recorded in the outbox, and wait for a ticket that
//! the driver redeems once the write is durable.

mod arrivals;
mod beats;
mod cancelling;
mod closing;
mod context;
mod current;
mod host;
mod outbox;
mod progress;
mod pulse;
mod races;
mod rehearsal;
mod rehearsing;
mod replay;
mod rivals;
mod run;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod tickets;
mod undoing;
mod waits;

pub(crate) use beats::Attempt;
pub(crate) use cancelling::Listening;
pub use context::Context;
pub(crate) use current::{
    CURRENT_ARM, CURRENT_RUN, CURRENT_STEP, CurrentStep, InTransaction, PublishedHere,
    outside_of_a_step, step_key,
};
pub(crate) use host::{Host, Looks, SessionLease};
pub(crate) use outbox::Outbox;
pub(crate) use pulse::Heard;
pub(crate) use races::{Arm, Left, Race};
pub(crate) use rehearsal::{Beginning, Played};
pub(crate) use replay::{Replay, Undo, UndoAttempt, winner_of};
pub(crate) use run::{Found, LiveRun};
pub(crate) use state::Place;
pub(crate) use tickets::Active;
