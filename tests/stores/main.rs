//! Every store passes the conformance suite; and what only SQLite can do.

mod conformance;
mod opening;
mod postgres;
mod sqlite;
