//! Functions over HTTP: which the store knows, pausing them, and forgetting removed ones.

use axum::{http::Uri, response::Response};

use super::{
    actor::{AskedRuns, Id},
    query::{flag, json, query, unknown},
    refusal::Refusal,
};
use crate::inspect::{
    Functions,
    shape::{ChangedFunction, Forgotten, ShownFunction, ShownFunctions},
};

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

pub(super) async fn pause(
    AskedRuns(runs): AskedRuns,
    Id(function_id): Id,
) -> Result<Response, Refusal> {
    let changed = Functions::with(runs).pause(&function_id).await?;
    Ok(json(&ChangedFunction {
        function_id,
        changed,
        paused: true,
    }))
}

pub(super) async fn resume(
    AskedRuns(runs): AskedRuns,
    Id(function_id): Id,
) -> Result<Response, Refusal> {
    let id = function_id.clone();
    // Where runs are handed on, it may take longer than the client waits, and continues then.
    let resuming = tokio::spawn(async move { Functions::with(runs).resume(&id).await });
    let changed = resuming.await.map_err(|_| Refusal::shutdown())??;
    Ok(json(&ChangedFunction {
        function_id,
        changed,
        paused: false,
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
