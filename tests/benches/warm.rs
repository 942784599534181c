//! Files as they are after some time of use: the logs have their final length, and a commit overwrites a part of one
//! instead of making it longer, which costs the file system more.

use std::sync::Arc;

use belts::store::{SharedStore, Sqlite, Synchronous};

use rusqlite::Connection;

use crate::{
    Outcome,
    functions::{Warmth, warm_up},
    measure::Directory,
    process::Running,
    raw::{self, Raw},
};

/// More commits than pages of a log.
const COMMITS: u32 = 2_100;

/// A store and a raw file side by side, with the same settings.
pub(crate) struct Warm {
    pub(crate) store: SharedStore,
    pub(crate) raw: raw::Sqlite,
    /// Who closes a file last removes its log, so this stays open.
    pub(crate) _keeper: Connection,
}

impl Warm {
    pub(crate) async fn create(directory: &Directory, synchronous: Synchronous) -> Outcome<Self> {
        let file = directory.file("belts.db");
        let first = Sqlite::builder(&file)
            .synchronous(Synchronous::Normal)
            .open()
            .await?;
        let worker = Running::start(Arc::new(first), |builder| builder.function(warm_up)).await?;
        worker.execute(Warmth { steps: COMMITS }).await?;
        let keeper = Connection::open(&file)?;
        keeper.query_row("SELECT count(*) FROM runs", [], |_| Ok(()))?;
        worker.stop().await?;
        let mut raw = raw::Sqlite::create(&directory.file("raw.db"), "NORMAL")?;
        raw.commits(usize::try_from(COMMITS)?).await?;
        raw.synchronous(if synchronous == Synchronous::Full {
            "FULL"
        } else {
            "NORMAL"
        })?;
        let store: SharedStore = Arc::new(
            Sqlite::builder(&file)
                .synchronous(synchronous)
                .open()
                .await?,
        );
        Ok(Self {
            store,
            raw,
            _keeper: keeper,
        })
    }
}
