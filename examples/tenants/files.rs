//! The function: it indexes one file of a tenant.

use std::sync::Arc;

use belts::{Event, State, step};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct FileUploaded {
    pub(crate) tenant: u32,
    pub(crate) file: u32,
}

#[belts::function(
    id = "index-file",
    on = FileUploaded,
    concurrency(limit = 1, key = |e| e.tenant),
    concurrency(limit = 8, shared = "search"),
)]
pub(crate) async fn index_file(
    uploaded: FileUploaded,
    State(ledger): State<Arc<Ledger>>,
) -> belts::Result<()> {
    step!("index", ledger.index(uploaded.tenant, uploaded.file)).await
}
