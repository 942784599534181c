//! Functions over HTTP: which the store knows, and forgetting removed ones.

use axum::{http::Uri, response::Response};

use super::{
    actor::{AskedRuns, Id},
    query::{flag, json, query, unknown},
    refusal::Refusal,
};
use crate::inspect::shape::{Forgotten, ShownFunction, ShownFunctions};

pub(super) async fn list(AskedRuns(runs): AskedRuns, uri: Uri) -> Result<Response, Refusal> {
    let mut orphaned = false;
    for (name, value) in query(&uri)? {
        if name != "orphaned" {
            return Err(unknown(&name, "`orphaned`"));
        }
        orphaned = flag(&name, &value)?;
    }
    let functions = runs.functions().await?;
    let shown = functions.iter().map(ShownFunction::of);
    Ok(json(&ShownFunctions {
        functions: shown.filter(|it| !orphaned || it.is_orphaned()).collect(),
    }))
}

pub(super) async fn forget(
    AskedRuns(runs): AskedRuns,
    Id(function_id): Id,
) -> Result<Response, Refusal> {
    let id = function_id.clone();
    // It may take longer than the client waits, and continues then.
    let forgetting = tokio::spawn(async move { runs.forget(&id).await });
    let ended = forgetting.await.map_err(|_| Refusal::shutdown())??;
    Ok(json(&Forgotten {
        function_id,
        cancelled: ended.runs,
    }))
}
