//! Dispatchers, and the mocks of the services that they speak to.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; the setting for tests does not see helpers"
)]

mod channel;
mod conformance;
mod forged;
mod http;
mod http_answers;
mod mock_qstash;
mod order;
mod poison;
mod qstash;
mod redis;
mod skew;
mod sqs;
mod ticks;
