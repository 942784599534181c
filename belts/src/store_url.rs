//! Stores by URL.

use std::sync::Arc;

use crate::{
    error::{Error, ErrorKind, Result},
    store::{Memory, SharedStore},
};

/// A URL, read.
#[derive(Debug, PartialEq, Eq)]
enum StoreUrl<'a> {
    Memory,
    Sqlite {
        path: &'a str,
        /// Whether each commit waits for the disk.
        full: bool,
    },
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<SharedStore> {
    match read(url).map_err(|wrong| config(format!("the store URL {wrong}")))? {
        StoreUrl::Memory => Ok(Arc::new(Memory::new())),
        StoreUrl::Sqlite { path, full } => open_sqlite(path, full).await,
    }
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    read(url).map(|_| ())
}

/// A URL as logs may have it: without what may be secret.
#[cfg(feature = "http")]
pub(crate) fn shown(url: &str) -> String {
    match read(url) {
        Ok(_) => url.to_owned(),
        Err(_) => scheme(url).to_owned(),
    }
}

fn read(url: &str) -> Result<StoreUrl<'_>, String> {
    const KNOWN: &str = "`sqlite://belts.db`, `sqlite:///var/lib/belts.db` or `memory:`";
    match scheme(url) {
        "memory" if matches!(url, "memory:" | "memory://") => Ok(StoreUrl::Memory),
        "memory" => Err("must be just `memory:`".to_owned()),
        "sqlite" => read_sqlite(url),
        // These hold passwords, so they are not repeated.
        name @ ("postgres" | "postgresql" | "redis" | "rediss") => Err(format!(
            "begins with `{name}:`, and this version of belts has no such store yet; use {KNOWN}"
        )),
        _ => Err(format!("names no store that belts knows; use {KNOWN}")),
    }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

fn read_sqlite(url: &str) -> Result<StoreUrl<'_>, String> {
    let rest = url.strip_prefix("sqlite:").unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() {
        return Err(format!("`{url}` has no path; write `sqlite://belts.db`"));
    }
    if path == ":memory:" {
        return Err(format!(
            "`{url}` asks for a store in memory; that is `memory:`"
        ));
    }
    let mut full = true;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        full = match option {
            "synchronous=full" => true,
            "synchronous=normal" => false,
            _ => {
                return Err(format!(
                    "`{url}` has the option `{option}`; there are `synchronous=full` and `synchronous=normal`"
                ));
            }
        };
    }
    Ok(StoreUrl::Sqlite { path, full })
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(path: &str, full: bool) -> Result<SharedStore> {
    use crate::store::{Sqlite, Synchronous};
    let synchronous = if full {
        Synchronous::Full
    } else {
        Synchronous::Normal
    };
    Ok(Arc::new(
        Sqlite::builder(path)
            .synchronous(synchronous)
            .open()
            .await?,
    ))
}

#[cfg(not(feature = "sqlite"))]
#[expect(clippy::unused_async, reason = "with the feature it waits")]
async fn open_sqlite(_: &str, _: bool) -> Result<SharedStore> {
    Err(config(
        "the SQLite store is left out of this program: turn on the feature `sqlite` of belts"
            .to_owned(),
    ))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_url_is_a_path_with_options() {
        let sqlite = |path, full| Ok(StoreUrl::Sqlite { path, full });
        assert_eq!(read("sqlite://belts.db"), sqlite("belts.db", true));
        assert_eq!(read("sqlite:data/belts.db"), sqlite("data/belts.db", true));
        assert_eq!(
            read("sqlite:///var/belts.db?synchronous=normal"),
            sqlite("/var/belts.db", false)
        );
        assert_eq!(read("memory:"), Ok(StoreUrl::Memory));
    }

    #[test]
    fn a_wrong_url_says_what_is_right_and_keeps_secrets() {
        let wrong = [
            ("sqlite://", "has no path"),
            ("sqlite::memory:", "that is `memory:`"),
            ("sqlite://a.db?mode=ro", "`synchronous=normal`"),
            ("postgres://ada:hunter2@host/db", "no such store yet"),
            ("belts.db", "names no store"),
            ("", "names no store"),
        ];
        for (url, part) in wrong {
            let message = check(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }
}
