//! Every store passes the conformance suite; and what each can do alone.

mod away;
mod conformance;
mod encrypted;
mod errors;
mod opening;
mod postgres;
mod proxy;
mod redis;
mod requests;
mod sqlite;
mod workers;

/// The version of the tables in SQLite.
const SCHEMA: i64 = 14;
