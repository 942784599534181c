//! Dispatchers by name and URL.

#[cfg(feature = "redis")]
mod redis;

#[cfg(any(
    feature = "http-dispatch",
    feature = "redis",
    feature = "sqs",
    feature = "qstash"
))]
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    dispatch::SharedDispatcher,
    error::{Error, ErrorKind, Result},
    url::{Known, find},
};

/// What a dispatcher may need besides its own URL.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Where the worker's router is reached from outside.
    #[allow(dead_code, reason = "used by dispatchers whose features are off")]
    pub(crate) url: Option<String>,
    /// The first signs.
    #[cfg(feature = "http")]
    #[allow(dead_code, reason = "used by dispatchers whose features are off")]
    pub(crate) keys: Vec<crate::signature::SigningKey>,
}

/// Opens a dispatcher whose URL is right; `None` is the store itself.
type Open =
    Box<dyn FnOnce(Surroundings) -> BoxFuture<'static, Result<Option<SharedDispatcher>>> + Send>;

type Read = fn(&str) -> Result<Open, String>;

/// Every dispatcher that a URL can name.
const DISPATCHERS: &[Known<Read>] = &[
    Known {
        name: "store's own",
        schemes: &["store"],
        feature: None,
        examples: &["store"],
        read: Some(|url| {
            just("store", url, "a store is named by `BELTS_STORE`")?;
            Ok(Box::new(|_| async { Ok(None) }.boxed()))
        }),
    },
    Known {
        name: "HTTP",
        schemes: &["http", "https"],
        feature: Some("http-dispatch"),
        examples: &["http"],
        #[cfg(feature = "http-dispatch")]
        read: Some(|url| {
            just(
                "http",
                url,
                "where events are posted to is `BELTS_URL`, or `.url(…)` in code",
            )?;
            Ok(Box::new(|around| async { http(around) }.boxed()))
        }),
        #[cfg(not(feature = "http-dispatch"))]
        read: None,
    },
    Known {
        name: "Redis",
        schemes: &["redis", "rediss"],
        feature: Some("redis"),
        examples: &["redis://host:6379"],
        #[cfg(feature = "redis")]
        read: Some(|url| {
            let builder = redis::read(url)?;
            Ok(Box::new(|_| {
                async { Ok(Some(Arc::new(builder.open().await?) as SharedDispatcher)) }.boxed()
            }))
        }),
        #[cfg(not(feature = "redis"))]
        read: None,
    },
    Known {
        name: "SQS",
        schemes: &["sqs"],
        feature: Some("sqs"),
        examples: &["sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders"],
        #[cfg(feature = "sqs")]
        read: Some(|url| {
            let builder = crate::dispatch::read_sqs(url)?;
            Ok(Box::new(|_| {
                async { Ok(Some(Arc::new(builder.open().await?) as SharedDispatcher)) }.boxed()
            }))
        }),
        #[cfg(not(feature = "sqs"))]
        read: None,
    },
    Known {
        name: "QStash",
        schemes: &["qstash"],
        feature: Some("qstash"),
        examples: &["qstash"],
        #[cfg(feature = "qstash")]
        read: Some(|url| {
            just(
                "qstash",
                url,
                "the rest is in its own variables, such as QSTASH_TOKEN",
            )?;
            Ok(Box::new(|around| async { qstash(around) }.boxed()))
        }),
        #[cfg(not(feature = "qstash"))]
        read: None,
    },
];

fn read(url: &str) -> Result<Open, String> {
    find(DISPATCHERS, "dispatcher", url)?(url)
}

/// Makes the dispatcher that a URL names; `None` for the store itself.
pub(crate) async fn open(url: &str, around: Surroundings) -> Result<Option<SharedDispatcher>> {
    let open = read(url).map_err(|wrong| config(format!("the dispatcher {wrong}")))?;
    open(around).await
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

/// Of a dispatcher that is named by one word, and has its settings elsewhere.
fn just(word: &str, url: &str, elsewhere: &str) -> Result<(), String> {
    if url == word {
        return Ok(());
    }
    Err(format!("must be just `{word}`: {elsewhere}"))
}

#[cfg(feature = "http-dispatch")]
fn http(around: Surroundings) -> Result<Option<SharedDispatcher>> {
    let to = around.url.ok_or_else(|| missing_url("http"))?;
    let http = crate::dispatch::Http::builder(to).read_keys(around.keys);
    Ok(Some(Arc::new(http.build()?)))
}

/// QStash by its own variables. A worker that could not verify what it is sent would refuse all of it.
#[cfg(feature = "qstash")]
fn qstash(around: Surroundings) -> Result<Option<SharedDispatcher>> {
    use crate::dispatch::{Dispatcher as _, Qstash};
    let destination = around.url.ok_or_else(|| missing_url("qstash"))?;
    let qstash = Qstash::from_env(destination)?;
    if !qstash.capabilities().signs {
        return Err(config(
            "the dispatcher `qstash` needs the variables QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY: the \
             console of QStash shows them"
                .to_owned(),
        ));
    }
    Ok(Some(Arc::new(qstash)))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(any(feature = "http-dispatch", feature = "qstash"))]
fn missing_url(dispatcher: &str) -> Error {
    config(format!(
        "the dispatcher `{dispatcher}` needs to know where the worker is reached: set BELTS_URL, such as \
         `https://app.example/belts`, or `.url(…)` in code"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_dispatchers_lists_every_url_and_feature() {
        Known::assert_listed(
            DISPATCHERS,
            include_str!("../../../docs/dispatchers.md"),
            "BELTS_DISPATCHER",
        );
    }

    #[test]
    fn the_urls_that_messages_suggest_are_right() {
        for known in DISPATCHERS.iter().filter(|known| known.read.is_some()) {
            for example in known.examples {
                assert_eq!(check(example), Ok(()), "{example}");
            }
        }
    }

    #[test]
    fn a_wrong_url_says_what_is_right_and_keeps_secrets() {
        let wrong = [
            ("kafka://ada:hunter2@host", "names no dispatcher"),
            ("stores", "names no dispatcher"),
            #[cfg(feature = "redis")]
            ("redis:", "names no host"),
            #[cfg(feature = "redis")]
            (
                "redis://:hunter2@host?visibility=soon",
                "such as `7d`, `12h` or `30s`",
            ),
            #[cfg(feature = "redis")]
            ("redis://:hunter2@host?dead_letters=all", "such as `10000`"),
            #[cfg(feature = "redis")]
            ("redis://:hunter2@host?group=", "`group` without a value"),
            #[cfg(feature = "redis")]
            (
                "redis://:hunter2@host?stream=a&maxlen=1",
                "has the option `maxlen`; there are `stream`, `group`, `visibility`",
            ),
            #[cfg(not(feature = "redis"))]
            ("rediss://:hunter2@host", "feature `redis`"),
        ];
        for (url, part) in wrong {
            let message = check(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }

    #[cfg(not(feature = "qstash"))]
    #[test]
    fn a_dispatcher_that_is_left_out_names_its_feature() {
        assert!(check("qstash").unwrap_err().contains("feature `qstash`"));
    }

    #[cfg(feature = "qstash")]
    #[tokio::test]
    async fn qstash_names_what_it_needs() {
        assert_eq!(check("qstash"), Ok(()));
        let wrong = check("qstash://:hunter2@host").unwrap_err();
        assert!(
            wrong.contains("just `qstash`") && !wrong.contains("hunter2"),
            "{wrong}"
        );
        let error = open("qstash", Surroundings::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.report().contains("BELTS_URL"), "{}", error.report());
    }
}
