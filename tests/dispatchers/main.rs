//! Dispatchers, and the mocks of the services that they speak to.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; the setting for tests does not see helpers"
)]

mod channel;
mod conformance;
mod forged;
mod http;
mod mock_qstash;
mod order;
mod qstash;
mod redis;
mod sqs;
