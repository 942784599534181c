//! What is set about the dashboard: who may use it, and what nobody is shown.

use std::{fmt, sync::Arc};

use axum::http::request::Parts;

use super::{hidden::Hidden, once::Once};

/// What whoever sends a request may do on the dashboard: what [`access`](crate::WorkerBuilder::access) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Denied,
    /// Look at everything, and change nothing.
    Read,
    /// Look at everything, and change it.
    Operate,
}

type Decide = dyn Fn(&Parts) -> Access + Send + Sync;

/// The settings of the dashboard.
#[derive(Default)]
pub(crate) struct UiOptions {
    pub(super) access: Option<Arc<Decide>>,
    pub(super) hidden: Hidden,
    /// The link that signs in once.
    pub(crate) once: Once,
}

impl fmt::Debug for UiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UiOptions")
            .field("access", &self.access.is_some())
            .field("hidden", &self.hidden)
            .finish_non_exhaustive()
    }
}
