//! The mock of QStash does what the protocol says, as its own requests, the vendor's SDKs and their receivers see it.

mod callbacks;
mod dead_letters;
mod deduplicate;
mod deliver;
pub(crate) mod destination;
mod faults;
mod judge;
mod lanes;
mod node;
mod peers;
mod publish;
mod python;
mod sign;
