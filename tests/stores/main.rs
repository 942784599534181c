//! Every store passes the conformance suite; and what only one of them can do.

mod conformance;
mod opening;
mod postgres;
mod redis;
mod sqlite;
mod workers;
