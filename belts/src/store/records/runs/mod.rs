//! What a store answers about runs.

mod claimed;
mod expired;
mod function;
mod in_line;
mod lately;
mod mark;
mod note;
mod parent;
mod published;
mod record;
mod routed;
mod status;
mod tag;
mod undoing;

pub use claimed::*;
pub use expired::*;
pub use function::*;
pub use in_line::*;
pub use lately::*;
pub use mark::*;
pub use note::*;
pub use parent::*;
pub use published::*;
pub use record::*;
pub use routed::*;
pub use status::*;
pub use tag::*;
pub use undoing::*;
