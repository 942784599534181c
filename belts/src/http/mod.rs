//! The router.

/// What the router does.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpOptions {}
