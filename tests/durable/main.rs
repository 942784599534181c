//! What belts promises about runs, one rule a test; see section 5 of the guarantees.

mod functions;
mod support;
mod sweeps;
