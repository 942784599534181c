//! The vocabulary of the [`Store`](super::Store) trait: what goes in and what comes out.
//!
//! Records grow as belts does, so they are `#[non_exhaustive]`: a constructor takes what a record always has, and a `with_…`
//! method adds what it may have, or sets it from an `Option`. The fields are public, to be read, and to be set.

mod journal;
mod kept;
mod requests;
mod runs;
mod wait;

pub use journal::*;
pub use kept::*;
pub use requests::*;
pub use runs::*;
pub use wait::*;
