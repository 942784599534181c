//! The router, signatures and `serve`, seen from outside.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; the setting for tests does not see helpers"
)]

mod awaited;
mod callbacks;
mod clients;
mod deliver;
mod describe;
mod doors;
mod limits;
mod modes;
mod refuse;
mod router;
mod serve;
mod serve_with;
mod sign;
