//! Opens what the arguments name: a store in this process, or a worker's router.

use std::path::Path;

use super::{
    args::PlaceArgs, direct::Direct, named::Named, place::Place, remote::Remote, wrong::Wrong,
};
use crate::{
    environment::{self, STORE, WORKER},
    store::{self, SharedStore},
    worker::config::variables::read_encryption_keys,
};

impl PlaceArgs {
    /// Opens the place named by the arguments, or else by the environment.
    pub(super) async fn open(self, actor: &str) -> Result<Box<dyn Place>, Wrong> {
        match self.named()? {
            (Some(store), _) => Ok(Box::new(open_store(&store, actor).await?)),
            (None, Some(worker)) => Ok(Box::new(Remote::new(&worker, actor)?)),
            (None, None) => Err(Wrong::usage(format!(
                "where are the runs? Name their store with `--store <URL>` or {STORE}, or a worker with `--worker <URL>` or {WORKER}"
            ))),
        }
    }

    /// Opens the store that is named, for what serves it.
    pub(super) async fn open_to_serve(self, actor: &str) -> Result<SharedStore, Wrong> {
        match self.named()? {
            (Some(store), _) => Ok(open_store(&store, actor).await?.store()),
            (None, Some(worker)) => Err(Wrong::usage(format!(
                "{}: a worker has the dashboard itself, under `/ui` of its URL; `belts ui` is for a store, named with `--store <URL>` or {STORE}",
                worker.by
            ))),
            (None, None) => Err(Wrong::usage(format!(
                "where are the runs? Name their store with `--store <URL>` or {STORE}"
            ))),
        }
    }

    /// The store or the worker that is named, by the arguments or else by the environment.
    fn named(self) -> Result<(Option<Named>, Option<Named>), Wrong> {
        let named = (
            Named::new(self.store, "`--store`"),
            Named::new(self.worker, "`--worker`"),
        );
        let (store, worker) = match named {
            (None, None) => (
                Named::in_environment(&STORE)?,
                Named::in_environment(&WORKER)?,
            ),
            given => given,
        };
        if store.is_some() && worker.is_some() {
            return Err(Wrong::usage(format!(
                "{STORE} and {WORKER} are both set: choose one with `--store <URL>` or `--worker <URL>`"
            )));
        }
        Ok((store, worker))
    }
}

async fn open_store(store: &Named, actor: &str) -> Result<Direct, Wrong> {
    let Named { url, by } = store;
    store::url::check(url).map_err(|wrong| Wrong::usage(format!("{by}: the URL {wrong}")))?;
    if url.starts_with("memory:") {
        return Err(Wrong::usage(format!(
            "{by}: a store in memory is visible only to its own worker; use `--worker <URL>`"
        )));
    }
    // Opening would create a new one.
    if let Some(path) = store::url::file(url).filter(|path| !Path::new(path).exists()) {
        let here = if Path::new(&path).is_relative() {
            " in the current directory; use a path that begins with `/` to be independent of it"
        } else {
            ""
        };
        return Err(Wrong::Failed(format!(
            "{by}: there is no file `{path}`{here}"
        )));
    }
    let keys = read_encryption_keys(&environment::of_process)
        .map_err(|wrong| Wrong::usage(wrong.to_string()))?;
    Ok(Direct::new(
        store::url::open(url).await?,
        keys.as_ref(),
        actor,
    )?)
}
