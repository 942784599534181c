//! Functions that the clock starts: when, how often, and what becomes of ticks at which nobody was there or something still ran.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod at_once;
mod changing;
mod clocks;
mod crashes;
mod deploys;
mod handled;
mod held;
mod missed;
mod overlap;
#[path = "../durable/places.rs"]
#[expect(dead_code, reason = "another suite asks for the names")]
mod places;
mod put;
mod rules;
mod sealed;
mod shown;
mod support;
mod ticks;
mod unreadable;
