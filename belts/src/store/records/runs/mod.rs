//! What a store answers about runs.

mod claimed;
mod function;
mod note;
mod published;
mod record;
mod status;

pub use claimed::*;
pub use function::*;
pub use note::*;
pub use published::*;
pub use record::*;
pub use status::*;
