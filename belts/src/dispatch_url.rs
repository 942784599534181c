//! Dispatchers by name and URL.

use crate::{
    dispatch::SharedDispatcher,
    error::{Error, ErrorKind, Result},
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
    pub(crate) keys: Vec<crate::http::SigningKey>,
}

/// Makes the dispatcher that a URL names; `None` for the store itself.
#[allow(
    clippy::unused_async,
    reason = "used by dispatchers whose features are off"
)]
pub(crate) async fn open(url: &str, around: Surroundings) -> Result<Option<SharedDispatcher>> {
    let wrong = |wrong| Error::new(ErrorKind::Config, format!("the dispatcher {wrong}"));
    let _ = around;
    match scheme(url) {
        #[cfg(feature = "redis")]
        "redis" | "rediss" => {
            let dispatcher = redis(url).map_err(wrong)?.open().await?;
            Ok(Some(std::sync::Arc::new(dispatcher)))
        }
        _ => check(url).map(|()| None).map_err(wrong),
    }
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    match scheme(url) {
        "store" if url == "store" => Ok(()),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => redis(url).map(drop),
        // URLs of servers hold passwords, so they are not repeated.
        name => Err(match left_out(name) {
            Some((dispatcher, feature)) => format!(
                "asks for `{name}`, and the {dispatcher} dispatcher is left out of this program: turn on the feature `{feature}` of belts"
            ),
            None => {
                "names no dispatcher that belts knows; use `store`, `http`, `redis://host:6379`, \
                     `sqs://…` or `qstash`"
                    .to_owned()
            }
        }),
    }
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

/// Reads `redis://host:6379?stream=orders&group=billing&visibility=30s`.
#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<crate::dispatch::RedisBuilder, String> {
    use crate::store_url::{read_duration, take_options, with_host};
    const OPTIONS: [&str; 5] = [
        "stream",
        "group",
        "visibility",
        "dead_letters",
        "key_prefix",
    ];
    with_host(url, "redis://:password@host:6379/0")?;
    let (url, [stream, group, visibility, dead_letters, key_prefix]) = take_options(url, OPTIONS)?;
    only_the_clients(&url, &OPTIONS)?;
    let mut builder = crate::dispatch::Redis::builder(url);
    if let Some(stream) = stream {
        builder = builder.stream(stream);
    }
    if let Some(group) = group {
        builder = builder.group(group);
    }
    if let Some(text) = visibility {
        builder = builder.visibility(read_duration("visibility", &text)?);
    }
    if let Some(text) = dead_letters {
        let most = text.parse();
        builder = builder.dead_letters(most.map_err(|_| {
            format!("has `dead_letters={text}`, and must have a number such as `10000`")
        })?);
    }
    if let Some(key_prefix) = key_prefix {
        builder = builder.key_prefix(key_prefix);
    }
    Ok(builder)
}

/// Says which options there are, where one is left that the client does not know: it would ignore it.
#[cfg(feature = "redis")]
fn only_the_clients(url: &str, ours: &[&str]) -> Result<(), String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut names = query
        .split('&')
        .map(|option| option.split('=').next().unwrap_or_default());
    match names.find(|name| !matches!(*name, "" | "protocol")) {
        Some(name) => {
            let known = ours.join("`, `");
            Err(format!(
                "has the option `{name}`; there are `{known}` and `protocol`"
            ))
        }
        None => Ok(()),
    }
}

/// The feature of a dispatcher that this program was built without.
fn left_out(scheme: &str) -> Option<(&'static str, &'static str)> {
    match scheme {
        "http" => Some(("HTTP", "http-dispatch")),
        "redis" | "rediss" => Some(("Redis", "redis")),
        "sqs" => Some(("SQS", "sqs")),
        "qstash" => Some(("QStash", "qstash")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::check;

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

    #[cfg(feature = "redis")]
    #[test]
    fn a_redis_url_has_the_settings_of_the_builder() {
        let url = "rediss://:hunter2@host:6380/2?stream=orders&group=billing&visibility=45s&dead_letters=5&key_prefix=shop&protocol=resp3";
        let shown = format!("{:?}", super::redis(url).expect("it is right"));
        for part in [
            "\"orders\"",
            "\"billing\"",
            "45s",
            "dead_letters: 5",
            "\"shop\"",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(check("store"), Ok(()));
    }
}
