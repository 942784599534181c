//! Stores by URL.

mod read;

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    error::{Error, ErrorKind, Result},
    store::SharedStore,
    url::{Known, find},
};

/// A store whose URL is right, and that is not opened yet.
struct Unopened {
    /// The file in which it is, if it is in one.
    #[allow(dead_code, reason = "read with the feature `http` only")]
    file: Option<String>,
    /// Whether it has connections to a server.
    connects: bool,
    /// In a box, since the clients of servers make it large.
    open: BoxFuture<'static, Result<SharedStore>>,
}

type Read = fn(&str) -> Result<Unopened, String>;

/// Every store that a URL can name.
const STORES: &[Known<Read>] = &[
    Known {
        name: "SQLite",
        schemes: &["sqlite"],
        feature: Some("sqlite"),
        examples: &["sqlite://belts.db", "sqlite:///var/lib/belts.db"],
        #[cfg(feature = "sqlite")]
        read: Some(|url| {
            let (file, builder) = read::sqlite(url)?;
            Ok(Unopened {
                file: Some(file),
                connects: false,
                open: async { Ok(Arc::new(builder.open().await?) as SharedStore) }.boxed(),
            })
        }),
        #[cfg(not(feature = "sqlite"))]
        read: None,
    },
    Known {
        name: "Postgres",
        schemes: &["postgres", "postgresql"],
        feature: Some("postgres"),
        examples: &["postgres://user:password@host/database"],
        #[cfg(feature = "postgres")]
        read: Some(|url| {
            let builder = read::postgres(url)?;
            Ok(Unopened::on_a_server(async {
                Ok(Arc::new(builder.open().await?) as SharedStore)
            }))
        }),
        #[cfg(not(feature = "postgres"))]
        read: None,
    },
    Known {
        name: "Redis",
        schemes: &["redis", "rediss"],
        feature: Some("redis"),
        examples: &["redis://host:6379"],
        #[cfg(feature = "redis")]
        read: Some(|url| {
            let builder = read::redis(url)?;
            Ok(Unopened::on_a_server(async {
                Ok(Arc::new(builder.open().await?) as SharedStore)
            }))
        }),
        #[cfg(not(feature = "redis"))]
        read: None,
    },
    Known {
        name: "memory",
        schemes: &["memory"],
        feature: None,
        examples: &["memory:"],
        read: Some(|url| {
            let memory = read::memory(url)?;
            Ok(Unopened {
                file: None,
                connects: false,
                open: async { Ok(Arc::new(memory) as SharedStore) }.boxed(),
            })
        }),
    },
];

impl Unopened {
    #[cfg(any(feature = "postgres", feature = "redis"))]
    fn on_a_server(open: impl Future<Output = Result<SharedStore>> + Send + 'static) -> Self {
        Self {
            file: None,
            connects: true,
            open: open.boxed(),
        }
    }
}

fn read(url: &str) -> Result<Unopened, String> {
    find(STORES, "store", url)?(url)
}

/// Whether the store that a URL names has connections, which belong to the runtime that they were made on.
pub(crate) fn has_connections(url: &str) -> bool {
    read(url).is_ok_and(|store| store.connects)
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<SharedStore> {
    let wrong = |wrong| Error::new(ErrorKind::Config, format!("the store URL {wrong}"));
    read(url).map_err(wrong)?.open.await
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

/// The file in which the store of a URL is, if it is in one.
#[cfg(feature = "http")]
pub(crate) fn file(url: &str) -> Option<String> {
    read(url).ok().and_then(|store| store.file)
}

/// A URL as logs may have it: without what may be secret.
#[cfg(feature = "http")]
pub(crate) fn shown(url: &str) -> String {
    let (scheme, _) = url.split_once(':').unwrap_or_default();
    match read(url) {
        Ok(store) if !store.connects => url.to_owned(),
        Ok(_) => {
            let rest = url.split(['?', '#']).next().unwrap_or_default();
            let rest = rest.rsplit_once('@').map_or_else(
                || rest.split_once("://").map_or("", |(_, rest)| rest),
                |(_, place)| place,
            );
            format!("{scheme}://{rest}")
        }
        Err(_) => scheme.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_stores_lists_every_url_and_feature() {
        Known::assert_listed(
            STORES,
            include_str!("../../../docs/stores.md"),
            "BELTS_STORE",
        );
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn the_urls_that_messages_suggest_are_right() {
        for store in STORES.iter().filter(|store| store.read.is_some()) {
            for example in store.examples {
                assert_eq!(check(example), Ok(()), "{example}");
            }
        }
    }

    #[test]
    fn a_wrong_url_says_what_is_right_and_keeps_secrets() {
        let wrong = [
            #[cfg(feature = "sqlite")]
            ("sqlite://", "has no path"),
            #[cfg(feature = "sqlite")]
            ("sqlite::memory:", "write `memory:`"),
            #[cfg(feature = "sqlite")]
            ("sqlite://a.db?mode=ro", "`synchronous=normal`"),
            ("memory://a", "must be just `memory:`"),
            ("mysql://ada:hunter2@host/db", "names no store"),
            #[cfg(feature = "postgres")]
            ("postgres:", "names no host"),
            #[cfg(feature = "postgres")]
            (
                "postgres://ada:hunter2@host/db?schema=",
                "`schema` without a value",
            ),
            #[cfg(feature = "redis")]
            ("redis://:hunter2@host?ttl=soon", "such as `7d`"),
            #[cfg(feature = "postgres")]
            (
                "postgres://ada:hunter2@host/db?retry_for=0s",
                "`retry_for=0s`",
            ),
            #[cfg(not(feature = "postgres"))]
            ("postgres://ada:hunter2@host/db", "feature `postgres`"),
            #[cfg(not(feature = "redis"))]
            ("rediss://ada:hunter2@host/0", "feature `redis`"),
            ("belts.db", "names no store"),
            ("", "names no store"),
        ];
        for (url, part) in wrong {
            let message = check(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }

    #[cfg(all(feature = "postgres", feature = "redis", feature = "http"))]
    #[test]
    fn the_url_of_a_server_is_shown_without_secrets() {
        for (url, what) in [
            (
                "postgres://ada:hun@ter2@host:5433/db?sslmode=require&schema=orders",
                "postgres://host:5433/db",
            ),
            (
                "rediss://:hunter2@host:6380/2?ttl=7d",
                "rediss://host:6380/2",
            ),
            ("mysql://ada:hunter2@host/db", "mysql"),
            ("memory:", "memory:"),
        ] {
            assert_eq!(shown(url), what);
        }
    }
}
