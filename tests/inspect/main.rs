//! Which runs failed, at which step and why; and what can be done about them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; the setting for tests does not see helpers"
)]

mod access;
mod bulk;
mod command;
mod dashboard;
mod errors;
mod functions;
mod http;
mod logs;
mod pages;
mod pauses;
mod proxies;
mod shop;
mod slips;
mod worker;
