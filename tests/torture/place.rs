//! Where the runs of a siege are kept: in a file, or on a server behind a proxy.

use std::{path::Path, sync::Arc};

use belts::store::{Postgres, Redis, SharedStore, Sqlite};
use belts_suite::servers;

use crate::{Failure, server::Server, trail::Process};

/// Which store is besieged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Redis,
}

#[derive(Debug)]
pub(crate) struct Place {
    /// What workers are told; [`open`] understands it.
    pub(crate) url: String,
    pub(crate) server: Option<Server>,
}

impl Kind {
    /// A new and empty place.
    pub(crate) async fn prepare(
        self,
        directory: &Path,
        log: &'static Process,
    ) -> Result<Place, Failure> {
        let (server, scheme, rest) = match self {
            Self::Sqlite => {
                let url = format!("sqlite://{}", directory.join("belts.db").display());
                return Ok(Place { url, server: None });
            }
            // As careful as a server for real work: it waits for the disk.
            Self::Postgres => (
                servers::Postgres::options()
                    .setting("fsync", "on")
                    .start()?
                    .into(),
                "postgres://postgres@",
                "postgres",
            ),
            Self::Redis => {
                let options = servers::Redis::options()
                    .setting("appendonly", "yes")
                    .setting("appendfsync", "always");
                (options.start()?.into(), "redis://", "")
            }
        };
        let server = Server::new(server, log).await?;
        Ok(Place {
            url: format!("{scheme}127.0.0.1:{}/{rest}", server.port()),
            server: Some(server),
        })
    }
}

/// Opens the store of a place.
pub(crate) async fn open(url: &str) -> belts::Result<SharedStore> {
    match url.split_once("://") {
        Some(("sqlite", path)) => Ok(Arc::new(Sqlite::open(path).await?)),
        Some(("postgres", _)) => Ok(Arc::new(Postgres::open(url).await?)),
        _ => Ok(Arc::new(Redis::open(url).await?)),
    }
}
