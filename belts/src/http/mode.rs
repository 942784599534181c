//! The ways to answer a delivery.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// How the router answers a delivery.
///
/// A request picks one with `?mode=accept`, `?mode=sync` or `?mode=stream`. Where it does not, and
/// [`http_mode`](crate::WorkerBuilder::http_mode) says nothing, it is `Accept` while the worker's loop runs, and `Sync`
/// otherwise, as nothing would go on after the answer then. [`modes`](crate::WorkerBuilder::modes) says which there are. A worker without a loop whose [dispatcher](crate::dispatch) can
/// hold messages back answers in none of these ways: it drives the runs within the request, hands on what is left of them,
/// and then says 200.
///
/// What runs came to is told of those that this delivery started. Where they were there before, as the message came again or
/// names a run, the answer has their ids alone, with 200 once they have ended; whoever may [inspect](crate::http#inspection) is
/// told the rest too.
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
    /// 200 at once, then lines of JSON: heartbeats, and what `Sync` would have answered as the last line.
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
