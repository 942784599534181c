#![doc = include_str!("../README.md")]
//!
//! # Features
//!
//! - `macros` (default): the attributes and macros, [`function`](macro@function), [`steps`], [`step!`], [`sleep!`],
//!   [`sleep_until!`], [`scope!`] and the derive of [`Event`](derive@Event).
//! - `sqlite` (default): [`store::Sqlite`], with SQLite itself built in.
//! - `postgres`: [`store::Postgres`], on sqlx.
//! - `redis`: [`store::Redis`], and [`dispatch::Redis`] on its streams.
//! - `http` (default): the axum router of a worker, signatures, and `serve()`.
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
        feature = "postgres",
        feature = "redis",
        feature = "http-dispatch",
        feature = "sqs",
        feature = "qstash"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod call;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
pub mod codec;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
pub mod dispatch;
mod dispatch_url;
mod error;
mod event;
mod failure;
mod finish;
mod function;
mod guard;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
mod inspect;
mod keys;
pub mod middleware;
mod plain;
#[cfg(any(feature = "http-dispatch", feature = "qstash"))]
mod post;
mod publish;
#[cfg(feature = "redis")]
mod redis;
mod registry;
mod run;
#[cfg(feature = "http")]
mod serve;
mod startup;
mod state;
mod step;
pub mod store;
mod store_url;
mod telemetry;
mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
mod valued;
mod wire;
mod worker;

use __private as private;
#[cfg(feature = "macros")]
pub use belts_macros::{Event, function, scope, sleep, sleep_until, step, steps};
pub use call::Call;
pub use clock::{Clock, SystemClock, Timestamp};
pub use context::Context;
pub use error::{Error, ErrorKind, Result};
pub use event::{EncodedEvent, Event, EventSet};
pub use function::{Continuation, Function, FunctionOptions, id_of};
pub use inspect::{ListRuns, Runs};
pub use publish::{Publish, Published, StartedRun};
pub use run::{Backoff, Location};
#[cfg(feature = "http")]
pub use serve::{Serve, serve};
pub use state::State;
pub use telemetry::Propagator;
pub use terminal::{Terminal, retry_after, terminal};
pub use worker::{
    Execute, Executed, FinishedRun, RunFailure, Worker, WorkerBuilder, WorkerOptions,
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
