//! What a store is asked for.

mod claim;
mod commit;
mod digest;
mod flow;
mod limits;
mod list;
mod publish;
mod schedule;
mod session;

pub use claim::*;
pub use commit::*;
pub use digest::*;
pub use flow::*;
pub use limits::*;
pub use list::*;
pub use publish::*;
pub use schedule::*;
pub use session::*;
