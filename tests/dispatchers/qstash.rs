//! The QStash dispatcher between a publisher, the mock of the service, and a real worker.

mod answers;
mod callbacks;
pub(crate) mod clock;
mod deliver;
mod events;
mod families;
mod limits;
pub(crate) mod mail;
mod options;
mod paused;
mod push;
mod refused;
mod undo;
mod verify;
