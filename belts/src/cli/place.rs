//! Where the runs are: in a store that this process opens, or behind a worker's router.

use std::{env, path::Path};

use async_trait::async_trait;

use super::{args::PlaceArgs, direct::Direct, remote::Remote, wrong::Wrong};
use crate::{
    clock::Timestamp,
    error::Result,
    inspect::shape::{Changed, Forgotten, ShownFunction, ShownPage, ShownPurge, ShownRun},
    store::{self, NewEvent},
};

/// What every command is written on.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// One page of runs, newest first.
    async fn list(&self, asked: Asked) -> Result<ShownPage>;
    /// A run with its steps.
    async fn run(&self, id: &str, values: bool) -> Result<ShownRun>;
    async fn cancel(&self, id: &str) -> Result<Changed>;
    /// Has a run go on, if need be with nothing left of what was recorded from a step on.
    async fn rerun(&self, id: &str, from: Option<&str>) -> Result<Changed>;
    /// Removes a part of what ended before a time; the answer says whether anything is left.
    async fn purge(&self, before: Timestamp) -> Result<ShownPurge>;
    async fn functions(&self) -> Result<Vec<ShownFunction>>;
    async fn forget(&self, function: &str) -> Result<Forgotten>;
    /// Publishes; whether the event was there before, and its runs where that is known.
    async fn publish(&self, event: NewEvent) -> Result<Sent>;
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) function: Option<String>,
    pub(super) event: Option<String>,
    /// Words of [`RunStatus`](crate::store::RunStatus), which were checked.
    pub(super) statuses: Vec<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) limit: usize,
    pub(super) page: Option<String>,
}

/// What became of an event.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) duplicate: bool,
    /// Run ids with their functions' ids; a worker elsewhere does not tell.
    pub(super) runs: Option<Vec<(String, String)>>,
}

/// A URL, and what it was given by.
pub(super) struct Named {
    pub(super) url: String,
    pub(super) by: &'static str,
}

impl Named {
    fn new(given: Option<String>, flag: &'static str) -> Option<Self> {
        given.map(|url| Self { url, by: flag })
    }

    fn in_environment(name: &'static str) -> Result<Option<Self>, Wrong> {
        Ok(Self::new(variable(name)?, name))
    }
}

impl PlaceArgs {
    /// Opens what the arguments name, or else the environment.
    pub(super) async fn open(self, actor: &str) -> Result<Box<dyn Place>, Wrong> {
        let named = (
            Named::new(self.store, "`--store`"),
            Named::new(self.worker, "`--worker`"),
        );
        let (store, worker) = match named {
            (None, None) => (
                Named::in_environment("BELTS_STORE")?,
                Named::in_environment("BELTS_WORKER")?,
            ),
            given => given,
        };
        match (store, worker) {
            (Some(_), Some(_)) => Err(Wrong::usage(
                "BELTS_STORE and BELTS_WORKER are both set: say which is meant by `--store <URL>` or `--worker <URL>`",
            )),
            (None, None) => Err(Wrong::usage(
                "where are the runs? Name their store by `--store <URL>` or BELTS_STORE, or a worker by `--worker <URL>` or \
                 BELTS_WORKER",
            )),
            (Some(store), None) => Ok(Box::new(open_store(&store, actor).await?)),
            (None, Some(worker)) => Ok(Box::new(Remote::new(&worker, actor)?)),
        }
    }
}

async fn open_store(store: &Named, actor: &str) -> Result<Direct, Wrong> {
    let Named { url, by } = store;
    store::url::check(url).map_err(|wrong| Wrong::usage(format!("{by}: the URL {wrong}")))?;
    if url.starts_with("memory:") {
        return Err(Wrong::usage(format!(
            "{by}: a store in memory is seen by its own worker only; ask that by `--worker <URL>`"
        )));
    }
    // Opening would make a new one.
    if let Some(path) = store::url::file(url).filter(|path| !Path::new(path).exists()) {
        let here = if Path::new(&path).is_relative() {
            " where you are; a path that begins with `/` is the same from everywhere"
        } else {
            ""
        };
        return Err(Wrong::Failed(format!(
            "{by}: there is no file `{path}`{here}"
        )));
    }
    Ok(Direct::new(Box::pin(store::url::open(url)).await?, actor))
}

pub(super) fn variable(name: &str) -> Result<Option<String>, Wrong> {
    match env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Wrong::usage(format!("{name} is not valid UTF-8")))
        }
    }
}
