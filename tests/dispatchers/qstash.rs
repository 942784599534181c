//! The QStash dispatcher between a publisher, the mock of the service, and a real worker.

mod answers;
mod clock;
mod deliver;
mod options;
mod push;
mod refused;
pub(crate) mod support;
mod verify;
