//! The engine's rules, pure: (journal, request) to a decision, (failed attempt, policy) to a retry, (outcome) to a transition.
//!
//! Nothing here does IO, is async, reads a clock or draws a random number.

mod retry;

pub use retry::Backoff;

/// A place in the user's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
