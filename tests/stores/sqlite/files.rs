//! The files of a database: who may read them, and what happens when they are taken away.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use belts::{
    ErrorKind,
    store::{RunFilter, Sqlite, Store},
};

use super::{directory, publish, worker};

fn mode(path: &Path) -> u32 {
    let file = fs::metadata(path).expect("the file is there");
    file.permissions().mode() & 0o777
}

fn lock_of(directory: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(directory).expect("the directory is there");
    let file = files.next().expect("the worker has a lock file");
    file.expect("the directory can be read").path()
}

/// Payloads and results were readable for everybody on the machine under the usual umask.
#[tokio::test]
async fn files_of_a_new_database_are_its_owners_alone() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    for name in ["belts.db", "belts.db-wal", "belts.db-shm"] {
        assert_eq!(mode(&directory.path().join(name)), 0o600, "{name}");
    }
    let workers = directory.path().join("belts.db-workers");
    assert_eq!(mode(&workers), 0o700);
    assert_eq!(mode(&lock_of(&workers)), 0o600);
    Ok(())
}

#[tokio::test]
async fn file_that_is_there_keeps_its_mode_and_those_beside_it_follow() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    fs::write(&path, []).expect("the file can be made");
    fs::set_permissions(&path, Permissions::from_mode(0o660)).expect("the file is ours");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    for name in ["belts.db", "belts.db-wal", "belts.db-shm"] {
        assert_eq!(mode(&directory.path().join(name)), 0o660, "{name}");
    }
    let workers = directory.path().join("belts.db-workers");
    assert_eq!(mode(&workers), 0o770);
    assert_eq!(mode(&lock_of(&workers)), 0o660);
    Ok(())
}

/// What was published into a file that somebody had removed was answered as durable, and was nowhere.
#[tokio::test]
async fn database_that_was_removed_or_replaced_accepts_nothing() -> belts::Result<()> {
    let directory = directory();
    for taken_away in ["removed", "replaced", "log removed"] {
        let path = directory.path().join(format!("{taken_away}.db"));
        let store = Sqlite::open(&path).await?;
        worker(&store).await?;
        publish(&store, "before").await?;
        match taken_away {
            "removed" => fs::remove_file(&path),
            "replaced" => {
                let other = directory.path().join("other.db");
                fs::write(&other, []).and_then(|()| fs::rename(&other, &path))
            }
            _ => fs::remove_file(path.with_extension("db-wal")),
        }
        .expect("the file is there");
        let noticed = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            for number in 0.. {
                tick.tick().await;
                if let Err(error) = publish(&store, &format!("e-{number}")).await {
                    return Some(error);
                }
            }
            None
        };
        let noticed = tokio::time::timeout(Duration::from_secs(20), noticed).await;
        let error = noticed.ok().flatten().expect("it is noticed");
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(
            error.to_string().contains("was removed or replaced"),
            "{error}"
        );
        let error = store.list(RunFilter::default()).await.map(drop);
        assert!(error.is_err(), "nothing is read from another file");
    }
    Ok(())
}

/// Moved away by mistake and moved back: nothing was lost.
#[tokio::test]
async fn database_that_is_put_back_goes_on() -> belts::Result<()> {
    let directory = directory();
    let (path, aside) = (
        directory.path().join("belts.db"),
        directory.path().join("aside.db"),
    );
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    let until = async |works: bool| {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for number in 0.. {
            tick.tick().await;
            if publish(&store, &format!("{works}-{number}")).await.is_ok() == works {
                break;
            }
        }
    };
    for (from, to, works) in [(&path, &aside, false), (&aside, &path, true)] {
        fs::rename(from, to).expect("the file is there");
        let noticed = tokio::time::timeout(Duration::from_secs(20), until(works)).await;
        assert!(noticed.is_ok(), "it is noticed");
    }
    Ok(())
}
