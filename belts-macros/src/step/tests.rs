//! Half-typed and whole calls.
