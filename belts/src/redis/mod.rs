//! What the Redis store and the Redis dispatcher share: the connection, scripts, what a server must be, and its errors.

pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod link;
pub(crate) mod reply;
pub(crate) mod script;
pub(crate) mod server;
