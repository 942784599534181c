//! Cron expressions and time zones, as far as the macros check them. What reads them at run time would triple the build of this crate.

mod calendar;
pub(crate) mod cron;
mod field;
pub(crate) mod zone;

#[cfg(test)]
mod tests;
