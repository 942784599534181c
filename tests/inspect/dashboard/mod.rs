//! The dashboard, asked as a browser asks.

mod access;
mod actions;
mod browser;
mod changes;
mod exact;
mod failing;
mod forged;
mod hostile;
mod late;
mod links;
mod pages;
mod program;
mod searching;
mod truth;
mod values;
