//! Functions that nobody has any more, from the command line.

use std::sync::Arc;

use belts::{Clock as _, SystemClock, store::SharedStore};

use super::*;
use crate::functions::with_old_function;

// Runs of a function that was renamed waited for ever, and no command ended them.
#[tokio::test]
async fn a_removed_function_is_counted_before_it_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let url = format!("sqlite://{}", path.display());
    let store: SharedStore = Arc::new(belts::store::Sqlite::builder(&path).open().await.unwrap());
    let session = with_old_function(&store).await;
    let at = At(&["--store", &url], &[]);
    let living = at.belts(&["forget", "old", "--yes"]).await.failed();
    assert!(
        living.contains("a running worker has the function `old`"),
        "{living}"
    );
    store.deregister(session, SystemClock.now()).await.unwrap();
    assert_eq!(
        at.belts(&["functions", "--orphaned"]).await.good(),
        "FUNCTION  WORKERS  UNFINISHED  EVENTS\nold       none     2           old-event\n"
    );
    assert_eq!(
        at.belts(&["forget", "old"]).await.usage(),
        "error: 2 runs of `old` would be cancelled, since no running worker has the function: add `--yes`\n"
    );
    assert_eq!(
        at.belts(&["forget", "old", "--yes", "--as", "ada"])
            .await
            .good(),
        "forgot old, cancelled 2 runs\n"
    );
    let run = &at.belts(&["runs", "--json"]).await.lines()[0];
    let id = run["runId"].as_str().unwrap();
    let shown = at.belts(&["run", id]).await.good();
    assert!(
        shown.contains("forget its function  belts command, ada\n"),
        "{shown}"
    );
    let unknown = at.belts(&["forget", "old"]).await.failed();
    assert!(unknown.contains("there is no function `old`"), "{unknown}");
}
