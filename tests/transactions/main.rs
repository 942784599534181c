//! The user's own transaction: what is published in one, and what a step writes in one.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod crashes;
mod debits;
mod held;
mod orders;
mod place;
#[expect(dead_code, reason = "others hold requests back as well")]
#[path = "../stores/proxy.rs"]
mod proxy;
mod publish;
mod publish_elsewhere;
mod publish_late;
mod sql;
mod sql_refused;
mod sqlite;
mod sqlite_steps;
mod step;
mod step_ends;
mod step_rights;
mod undo;
