//! The vocabulary of the [`Store`](super::Store) trait: what goes in and what comes out.

mod claim;
mod commit;
mod inspect;
mod publish;
mod session;

pub use claim::*;
pub use commit::*;
pub use inspect::*;
pub use publish::*;
pub use session::*;
