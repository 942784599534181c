//! memory
/// m
#[derive(Debug)] pub struct Memory;
