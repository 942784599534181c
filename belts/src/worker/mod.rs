//! The worker: claims due runs, drives each as a task of its own, and publishes.
//!
//! This is the only place that joins [`run`](crate::run), the store, the dispatcher and the clock.

pub(crate) mod announce;
mod backlog;
mod build;
mod builder;
mod check;
mod children;
#[cfg(feature = "http")]
mod chores;
mod claim;
pub(crate) mod clockwork;
mod closed;
pub(crate) mod config;
mod drive;
mod driven;
mod due;
#[cfg(feature = "encryption")]
mod encryption;
mod ended;
mod execute;
mod executed;
mod fits;
mod flow;
mod give_back;
mod handle;
mod hook;
mod inside;
mod inspect;
pub(crate) mod installed;
#[cfg(feature = "postgres")]
mod keyless;
mod leases;
mod ledger;
mod limits;
mod listen;
mod looks;
mod loops;
#[cfg(feature = "encryption")]
mod moved;
mod options;
mod outcome;
mod paused;
mod planned;
mod pulse;
mod purge;
#[cfg(feature = "http")]
mod push;
#[cfg(feature = "http")]
mod pushed_ticks;
mod receive;
mod refused;
mod register;
mod renew;
mod running;
mod sealed;
mod send;
mod session;
mod set_back;
mod setbacks;
mod settings;
mod shared;
mod shutdown;
mod signals;
#[cfg(feature = "http")]
mod singles;
mod slots;
mod start;
mod stop;
mod suspects;
mod take_on;
mod take_over;
mod targets;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod wait;
mod waiters;
mod warned;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod within;
#[cfg(feature = "http")]
mod woken;

pub use builder::WorkerBuilder;
pub use check::{Check, CheckReport, CheckedFunction, Concern};
#[cfg(feature = "testing")]
pub(crate) use check::{Verdict, apart, rehearse};
use drive::{Wanted, hear_undos, left_to_undo, unknown_steps};
pub use execute::Execute;
pub(crate) use execute::Known;
pub use executed::{Executed, FinishedRun};
pub use handle::Worker;
pub use hook::RunFailure;
pub use options::WorkerOptions;
#[cfg(feature = "http")]
pub(crate) use push::Trigger;
#[cfg(feature = "http")]
pub(crate) use pushed_ticks::TICKS;
pub(crate) use shared::Shared;
#[cfg(feature = "http")]
pub(crate) use wait::Started;
