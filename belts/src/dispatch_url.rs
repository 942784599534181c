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
    #[cfg(feature = "qstash")]
    if url == "qstash" {
        return qstash(around).map(Some);
    }
    let _ = around;
    Ok(None)
}

/// QStash by its own variables. A worker that could not verify what it is sent would refuse all of it.
#[cfg(feature = "qstash")]
fn qstash(around: Surroundings) -> Result<SharedDispatcher> {
    use crate::dispatch::{Dispatcher as _, Qstash};
    let needs = |what| {
        Error::new(
            ErrorKind::Config,
            format!("the dispatcher `qstash` needs {what}"),
        )
    };
    let destination = around.url.ok_or_else(|| {
        needs("the variable BELTS_URL, or `url`: where QStash reaches this worker's router, such as `https://app.example/belts`")
    })?;
    let qstash = Qstash::from_env(destination)?;
    if !qstash.capabilities().signs {
        return Err(needs(
            "the variables QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY: the console of QStash shows them",
        ));
    }
    Ok(std::sync::Arc::new(qstash))
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "store" if url == "store" => Ok(()),
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

/// The feature of a dispatcher that this program was built without.
fn left_out(scheme: &str) -> Option<(&'static str, &'static str)> {
    match scheme {
        "http" => Some(("HTTP", "http-dispatch")),
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
