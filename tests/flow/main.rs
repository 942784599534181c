//! Flow options of functions: which events start runs, how many, and when.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod filters;
mod kept;
mod lines;
mod models;
mod options;
#[path = "../durable/places.rs"]
#[expect(dead_code, reason = "another suite asks for the names")]
mod places;
mod sharing;
mod swept;
mod whole;
