//! The SQS dispatcher does what it promises, on a queue of `moto` and with workers.

mod aside;
mod contract;
mod faults;
mod fifo;
mod opening;
mod support;
mod workers;
