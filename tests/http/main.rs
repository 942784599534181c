//! The router, signatures and `serve`, seen from outside.

mod deliver;
mod describe;
mod modes;
mod refuse;
mod serve;
mod sign;
mod support;
