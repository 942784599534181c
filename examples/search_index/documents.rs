//! The functions: one indexes a document, the other counts what was done.

use std::sync::Arc;

use belts::{Event, State, step};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct DocumentChanged {
    pub(crate) document: u32,
    pub(crate) version: u32,
}

/// The last version of a document, a moment after it: what came before it need not be indexed.
#[belts::function(
    id = "index-document",
    on = DocumentChanged,
    debounce(period = "300ms", max = "3s", key = |e| e.document),
)]
pub(crate) async fn index_document(
    changed: DocumentChanged,
    State(engine): State<Arc<Engine>>,
) -> belts::Result<()> {
    step!("index", engine.index(&changed)).await
}

/// Every update, in few writes.
#[belts::function(
    id = "count-updates",
    on = DocumentChanged,
    batch(size = 100, within = "300ms"),
)]
pub(crate) async fn count_updates(
    changes: Vec<DocumentChanged>,
    State(engine): State<Arc<Engine>>,
) -> belts::Result<()> {
    step!("count", engine.count(&changes)).await
}
