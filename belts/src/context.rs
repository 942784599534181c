//! What a function can ask about its run.
#[derive(Debug, Clone)]
pub struct Context {}
