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
    check(url).map_err(|wrong| Error::new(ErrorKind::Config, format!("the dispatcher {wrong}")))?;
    let _ = around;
    #[cfg(feature = "sqs")]
    if url.starts_with("sqs:") {
        let sqs = Box::pin(crate::dispatch::open_sqs(url)).await?;
        return Ok(Some(std::sync::Arc::new(sqs)));
    }
    Ok(None)
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "store" if url == "store" => Ok(()),
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
