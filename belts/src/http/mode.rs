//! The ways to answer a delivery.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// How the router answers a delivery.
///
/// A request selects one with `?mode=accept`, `?mode=sync` or `?mode=stream`. If it does not, and
/// [`http_mode`](crate::WorkerBuilder::http_mode) is not set, it is `Accept` while the worker's loop runs, and otherwise `Sync`,
/// since nothing would continue after the response. [`modes`](crate::WorkerBuilder::modes) restricts them. A worker without a loop whose [dispatcher](crate::dispatch) can
/// delay messages uses none of these modes: it drives the runs within the request, hands on the rest,
/// and then responds with 200.
///
/// Results are returned only of runs that this delivery started. If they existed before, because the message is a duplicate or
/// names a run, the response has only their ids, with 200 once they have ended; clients with access to [inspection](crate::http#inspection)
/// also get the results.
///
/// ```
/// use belts::http::HttpMode;
/// assert_eq!("stream".parse::<HttpMode>()?, HttpMode::Stream);
/// # Ok::<(), belts::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpMode {
    /// 202 with the event's id and its runs, as soon as they are durable.
    Accept,
    /// 200 with the output of each run once all have ended, or 500 if one failed.
    Sync,
    /// 200 at once, then lines of JSON: heartbeats, and finally the response of `Sync`.
    Stream,
}

impl FromStr for HttpMode {
    type Err = Error;

    fn from_str(mode: &str) -> Result<Self> {
        match mode {
            "accept" => Ok(Self::Accept),
            "sync" => Ok(Self::Sync),
            "stream" => Ok(Self::Stream),
            _ => Err(Error::new(
                ErrorKind::Config,
                "the mode must be `accept`, `sync` or `stream`",
            )),
        }
    }
}
