//! Every store passes the conformance suite; and what each can do alone.

mod conformance;
mod opening;
mod postgres;
mod redis;
mod sqlite;
mod workers;
