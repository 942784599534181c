//! The mock of QStash, and the service's own SDKs beside it.

pub use belts_qstash_mock::*;

pub mod peers;
