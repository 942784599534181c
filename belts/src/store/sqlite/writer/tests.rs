use std::{
    future::{Future as _, poll_fn},
    sync::Arc,
    task::Poll,
};

use futures_util::future::join;

use super::*;
use crate::{id::new_id, store::sqlite::connect::connect};

/// A folder of its own, which goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("belts-writer-{}", new_id()));
        std::fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    fn writer(&self, synchronous: Synchronous) -> Arc<Writer> {
        let path = self.0.join("belts.db");
        let connection = connect(&path, synchronous).expect("a database");
        Arc::new(Writer::new(path, connection, synchronous))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("it can be removed");
    }
}

/// What SQLite says of how sure the commit of this transaction will be: 1 is `NORMAL`, 2 is `FULL`.
fn level(tx: &mut Tx<'_>) -> Result<i64, Fault> {
    Ok(tx
        .connection
        .query_row("PRAGMA synchronous", [], |row| row.get(0))?)
}

#[tokio::test]
async fn only_a_write_about_leases_alone_does_not_wait_for_the_disk() {
    let folder = Folder::new();
    let full = folder.writer(Synchronous::Full);
    for _ in 0..2 {
        assert_eq!(full.submit(level).await.expect("a write"), 2);
        assert_eq!(full.submit_leases(level).await.expect("a write"), 1);
    }
    let normal = folder.writer(Synchronous::Normal);
    assert_eq!(normal.submit_leases(level).await.expect("a write"), 1);
    assert_eq!(normal.submit(level).await.expect("a write"), 1);
}

#[tokio::test]
async fn one_that_must_last_makes_all_that_are_written_with_it_last() {
    let folder = Folder::new();
    let writer = folder.writer(Synchronous::Full);
    let served = Arc::clone(&writer);
    let thread = std::thread::spawn(move || served.serve());
    // Both queue, since somebody owns the connection.
    assert!(writer.own());
    let mut both = Box::pin(join(writer.submit_leases(level), writer.submit(level)));
    poll_fn(|context| {
        assert!(both.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    writer.give_up(Next::Turn);
    let (leases, commit) = both.await;
    assert_eq!((leases.expect("a write"), commit.expect("a write")), (2, 2));
    writer.close();
    thread.join().expect("it does not panic");
}
