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
    pub(crate) keys: Vec<crate::signature::SigningKey>,
}

/// Makes the dispatcher that a URL names; `None` for the store itself.
#[allow(
    clippy::unused_async,
    reason = "used by dispatchers whose features are off"
)]
pub(crate) async fn open(url: &str, around: Surroundings) -> Result<Option<SharedDispatcher>> {
    check(url).map_err(|wrong| config(format!("the dispatcher {wrong}")))?;
    match scheme(url) {
        #[cfg(feature = "http-dispatch")]
        "http" => {
            let to = around.url.ok_or_else(|| missing_url("http"))?;
            let http = crate::dispatch::Http::builder(to).read_keys(around.keys);
            Ok(Some(std::sync::Arc::new(http.build()?)))
        }
        #[cfg(feature = "qstash")]
        "qstash" => qstash(around).map(Some),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => {
            let wrong = |wrong| config(format!("the dispatcher {wrong}"));
            let dispatcher = redis(url).map_err(wrong)?.open().await?;
            Ok(Some(std::sync::Arc::new(dispatcher)))
        }
        #[cfg(feature = "sqs")]
        "sqs" => {
            let sqs = Box::pin(crate::dispatch::open_sqs(url)).await?;
            Ok(Some(std::sync::Arc::new(sqs)))
        }
        _ => {
            drop(around);
            Ok(None)
        }
    }
}

/// QStash by its own variables. A worker that could not verify what it is sent would refuse all of it.
#[cfg(feature = "qstash")]
fn qstash(around: Surroundings) -> Result<SharedDispatcher> {
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
    Ok(std::sync::Arc::new(qstash))
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    match scheme(url) {
        "store" if url == "store" => Ok(()),
        #[cfg(feature = "http-dispatch")]
        "http" if url == "http" => Ok(()),
        #[cfg(feature = "http-dispatch")]
        "http" | "https" => Err(
            "must be just `http`: where events are posted to is `BELTS_URL`, or `.url(…)` in code"
                .to_owned(),
        ),
        #[cfg(feature = "qstash")]
        "qstash" if url == "qstash" => Ok(()),
        #[cfg(feature = "qstash")]
        "qstash" => Err(
            "must be just `qstash`: the rest is in its own variables, such as QSTASH_TOKEN"
                .to_owned(),
        ),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => redis(url).map(drop),
        #[cfg(feature = "sqs")]
        "sqs" => crate::dispatch::check_sqs(url),
        // URLs of servers hold passwords, so they are not repeated.
        name => Err(match left_out(name) {
            Some((dispatcher, feature)) => format!(
                "asks for `{name}`, and the {dispatcher} dispatcher is left out of this program: turn on the feature `{feature}` of belts"
            ),
            None => {
                "names no dispatcher that belts knows; use `store`, `http`, `redis://host:6379`, \
                     `sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE` or `qstash`"
                    .to_owned()
            }
        }),
    }
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(feature = "http")]
#[allow(dead_code, reason = "used by dispatchers whose features are off")]
fn missing_url(dispatcher: &str) -> Error {
    config(format!(
        "the dispatcher `{dispatcher}` needs to know where the worker is reached: set BELTS_URL, such as \
         `https://app.example/belts`, or `.url(…)` in code"
    ))
}

/// Reads `redis://host:6379?stream=orders&group=billing&visibility=30s`.
#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<crate::dispatch::RedisBuilder, String> {
    use crate::store::url::{read_duration, take_options, with_host};
    const OPTIONS: [&str; 6] = [
        "stream",
        "group",
        "visibility",
        "dead_letters",
        "key_prefix",
        "retry_for",
    ];
    with_host(url, "redis://:password@host:6379/0")?;
    let (url, values) = take_options(url, OPTIONS)?;
    let [
        stream,
        group,
        visibility,
        dead_letters,
        key_prefix,
        retry_for,
    ] = values;
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
    if let Some(text) = retry_for {
        builder = builder.retry_for(read_duration("retry_for", &text)?);
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
        "http" | "https" => Some(("HTTP", "http-dispatch")),
        "redis" | "rediss" => Some(("Redis", "redis")),
        "sqs" => Some(("SQS", "sqs")),
        #[cfg(not(feature = "qstash"))]
        "qstash" => Some(("QStash", "qstash")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
