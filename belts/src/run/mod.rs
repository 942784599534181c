//! The engine's rules, pure: (journal, request) to a decision, (failed attempt, policy) to a retry, (outcome) to a transition.
//!
//! Nothing here does IO, is async, reads a clock or draws a random number: time and chance come in as arguments.
//! The tests are transcripts of such questions and answers.

mod cancel;
mod child;
mod journal;
mod key;
mod machine;
mod retry;
mod settled;
mod status;
mod taken;
mod undone;
mod violation;

#[cfg(test)]
mod tests;

pub(crate) use cancel::cancel_on;
pub(crate) use child::{Child, MOST_DEPTH, begun, outcome};
pub(crate) use journal::{Decision, Journal, Request};
pub(crate) use key::{STATUS, escape, is_under, join};
pub(crate) use machine::{StepVerdict, after_function, after_step_failure};
pub use retry::Backoff;
pub(crate) use retry::RetryPolicy;
pub(crate) use settled::{Settled, is_settled_by, settle_key};
pub(crate) use status::{Before, Setting, SettingVerdict, Statuses};
pub(crate) use taken::Taken;
pub(crate) use undone::{times_undone, undo_path};
pub use violation::Location;
pub(crate) use violation::Violation;
