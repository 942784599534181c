//! What a definition asks of an event.

use crate::error::Result;

/// Asks of an event by its type and its JSON.
pub type Ask<T> = fn(&str, &[u8]) -> Result<T>;
