#![doc = include_str!("../README.md")]
//!
//! # Features
//!
//! - `macros` (default): the attributes and macros, [`function`](macro@function), [`steps`], [`step!`], [`sleep!`],
//!   [`sleep_until!`], [`wait!`], [`callback!`], [`call!`], [`start!`], [`race!`], [`scope!`], [`transaction!`],
//!   [`volatile!`] and the derive of [`Event`](derive@Event).
//! - `schedules` (default): functions that the clock starts, by cron expressions in time zones whose database is built in.
//! - `sqlite` (default): [`store::Sqlite`], with SQLite itself built in.
//! - `postgres`: [`store::Postgres`], on sqlx.
//! - `redis`: [`store::Redis`], and [`dispatch::Redis`] on its streams.
//! - `http` (default): the axum router of a worker, signatures, and `serve()`.
//! - `dashboard`: pages in a browser, under `ui` of the router and wherever [`Worker::dashboard`] is nested.
//! - `encryption`: [`Keyring`]: what users write is encrypted in stores and messages, and compressed; see the guide's page on secrets.
//! - `http-dispatch`: [`dispatch::Http`], which posts events to a worker elsewhere.
//! - `sqs`: [`dispatch::Sqs`], on Amazon SQS.
//! - `qstash`: [`dispatch::Qstash`], on the service of that name.
//! - `cli`: the program `belts`, which shows runs and changes them, on any store or by HTTP.
//! - `testing`: the testing kit, `belts::testing`.
//! - `conformance`: the suites that a store or a dispatcher of your own should pass.
//!
//! belts needs Rust 1.94 or newer, which sqlx requires; one version holds for every set of features.
#![cfg_attr(
    not(all(
        feature = "macros",
        feature = "dashboard",
        feature = "encryption",
        feature = "postgres",
        feature = "redis",
        feature = "http-dispatch",
        feature = "sqs",
        feature = "qstash"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
mod callback;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod dispatch;
mod environment;
mod error;
mod event;
mod function;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
mod id;
mod inspect;
mod live;
pub mod middleware;
mod panic;
mod plain;
mod publish;
#[cfg(feature = "redis")]
mod redis;
mod registry;
mod run;
mod schedule;
#[cfg(feature = "encryption")]
mod seal;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod signature;
mod step;
pub mod store;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
#[cfg(feature = "macros")]
mod volatile;
mod worker;

#[cfg(feature = "macros")]
pub use belts_macros::{
    Event, call, callback, function, race, scope, sleep, sleep_until, start, step, steps,
    transaction, wait,
};
pub use clock::{Clock, SystemClock, Timestamp};
pub use error::{Error, ErrorKind, Result, Terminal, retry_after, terminal};
pub use event::{EncodedEvent, Event, EventSet};
pub use function::{Call, Failed, Function, RunHandle, State, id_of, run_of};
pub use inspect::{
    CallbackHandle, CancelFailed, CancelledRuns, Functions, ListRuns, PlannedTick, RunCount,
    RunGroup, Runs, ScheduleRecord, Schedules, SettleStep,
};
pub use live::Context;
pub use publish::{Publish, PublishAll, Published, SkippedRun, StartedRun, publish_all};
pub use run::{Backoff, Location};
/// The crate of SQLite that belts is built with, whose transactions [`in_tx_sync`](Publish::in_tx_sync) takes.
#[cfg(feature = "sqlite")]
pub use rusqlite;
pub use schedule::{Counts, LastTick, Missed, Overlap, Schedule, SkippedTick, Tick};
#[cfg(feature = "encryption")]
pub use seal::{Keyring, Secret};
#[cfg(feature = "http")]
pub use serve::{Serve, serve};
/// The crate of Postgres that belts is built with, whose connections [`in_tx`](Publish::in_tx) takes.
#[cfg(feature = "postgres")]
pub use sqlx;
pub use step::{Callback, Within};
pub use telemetry::Propagator;
pub use worker::{
    Check, CheckReport, CheckedFunction, Concern, Execute, Executed, FinishedRun, RunFailure,
    Worker, WorkerBuilder, WorkerOptions,
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_crate_docs_list_every_feature() {
        let (_, features) = include_str!("../Cargo.toml")
            .split_once("\n[features]\n")
            .expect("features");
        let (features, _) = features.split_once("\n[").expect("a section after them");
        let names = features
            .lines()
            .filter_map(|line| line.split_once(" = [").map(|(name, _)| name))
            .filter(|name| *name != "default");
        let docs = include_str!("lib.rs");
        for name in names {
            assert!(
                docs.contains(&format!("//! - `{name}`")),
                "`{name}` is not listed"
            );
        }
    }
}
