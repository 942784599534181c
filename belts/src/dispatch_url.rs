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
