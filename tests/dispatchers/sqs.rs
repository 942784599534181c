//! The SQS dispatcher does what it promises, on a queue of `moto` and with workers.

pub(crate) mod aside;
mod contract;
mod faults;
mod fifo;
mod opening;
pub(crate) mod queue;
mod workers;
