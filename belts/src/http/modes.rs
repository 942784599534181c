//! How a delivery is answered: at once, at the end, or with a stream until the end.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::{answer, mode::HttpMode, refusal::Refusal};
use crate::{
    dispatch::wire,
    error::Result,
    panic::catch_future,
    plain::json_line,
    store::RunStatus,
    worker::{Executed, FinishedRun, Shared, Started},
};

/// How often a `stream` response sends a heartbeat; half of what is promised, so that a busy worker keeps the promise.
const HEARTBEAT: Duration = Duration::from_secs(5);

impl HttpMode {
    /// The mode of a request; `None` if its runs are driven within it and the rest is handed on.
    pub(super) fn of(uri: &Uri, shared: &Shared) -> Result<Option<Self>, Refusal> {
        let pairs = uri.query().unwrap_or_default().split('&');
        let asked = pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == "mode");
        let mode = match (asked, shared.http.mode) {
            (Some((_, mode)), _) => {
                let mode = mode.parse()?;
                let allowed = shared.http.modes.as_ref();
                if allowed.is_some_and(|allowed| !allowed.contains(&mode)) {
                    return Err(Refusal::mode());
                }
                mode
            }
            (None, Some(mode)) => mode,
            (None, None) if shared.is_running() => Self::Accept.or_allowed(shared),
            (None, None) if shared.hands_on() => return Ok(None),
            (None, None) => Self::Sync.or_allowed(shared),
        };
        Ok(Some(mode))
    }

    /// This mode, or the first of those that are allowed.
    fn or_allowed(self, shared: &Shared) -> Self {
        let allowed = shared.http.modes.as_deref().unwrap_or_default();
        match allowed.first() {
            Some(first) if !allowed.contains(&self) => *first,
            _ => self,
        }
    }

    /// Takes a place among the requests that wait for runs, if this mode waits.
    pub(super) fn wait_in_line(mode: Option<Self>, shared: &Shared) -> Result<Place, Refusal> {
        if !matches!(mode, Some(Self::Sync | Self::Stream)) {
            return Ok(Place(None));
        }
        Place::take(shared)
    }

    pub(super) async fn answer(
        self,
        shared: Arc<Shared>,
        started: Started,
        tells: Tells,
        place: Place,
    ) -> Response {
        match self {
            // There is no need to wait for what is not returned, if the runs continue by themselves.
            _ if tells == Tells::IdsAtOnce && shared.is_running() => accepted(started),
            Self::Accept => accepted(started),
            Self::Sync => match started.wait().await {
                Ok(executed) => answer::json(tells.status(&executed), tells.json(&executed)),
                Err(error) => Refusal::from(error).into_response(),
            },
            Self::Stream => streamed(&shared, started, tells, place),
        }
    }
}

/// A place among the requests that wait for runs.
#[must_use = "the place is free again when this is dropped"]
pub(super) struct Place(
    #[expect(dead_code, reason = "it counts while it is there")] Option<OwnedSemaphorePermit>,
);

impl Place {
    /// Takes one, if one is free.
    pub(super) fn take(shared: &Shared) -> Result<Self, Refusal> {
        let place = Arc::clone(&shared.http.waiting).try_acquire_owned();
        place
            .map(|place| Self(Some(place)))
            .map_err(|_| Refusal::crowded())
    }
}

/// What a response contains of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// Their results: this delivery started them, or its sender may inspect.
    Outcomes,
    /// Their ids, once they have ended: they existed before.
    Ids,
    /// Their ids: the message itself was accepted before, and may have been captured.
    IdsAtOnce,
}

impl Tells {
    fn status(self, executed: &Executed) -> StatusCode {
        match self {
            Self::Outcomes => status(executed),
            Self::Ids | Self::IdsAtOnce => StatusCode::OK,
        }
    }

    fn json(self, executed: &Executed) -> Vec<u8> {
        match self {
            Self::Outcomes => EndedRuns::of(executed).json(),
            Self::Ids | Self::IdsAtOnce => wire::json(&Accepted::of_ended(executed)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted<'a> {
    event_id: &'a str,
    runs: Vec<AcceptedRun<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedRun<'a> {
    id: &'a str,
    function_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndedRuns<'a> {
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    failure: Option<Failure>,
    event_id: &'a str,
    runs: Vec<EndedRun<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndedRun<'a> {
    id: &'a str,
    function_id: &'a str,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunError>,
}

#[derive(Serialize)]
struct Failure {
    error: bool,
    message: String,
    code: &'static str,
}

#[derive(Serialize)]
struct RunError {
    message: String,
    code: &'static str,
}

fn accepted(started: Started) -> Response {
    let body = wire::json(&Accepted::of(&started));
    started.watch_target();
    answer::json(StatusCode::ACCEPTED, body)
}

/// The response once every run has ended or was handed on.
pub(super) fn handed_on(started: &Started) -> Response {
    answer::json(StatusCode::OK, wire::json(&Accepted::of(started)))
}

/// The response if the run to be continued has ended and was purged.
pub(super) fn over() -> Response {
    answer::json(StatusCode::OK, br#"{"runs":[]}"#.to_vec())
}

impl<'a> Accepted<'a> {
    fn of(started: &'a Started) -> Self {
        let runs = started.runs.iter();
        Self {
            event_id: &started.event_id,
            runs: runs
                .map(|(id, function_id)| AcceptedRun { id, function_id })
                .collect(),
            duplicate: started.duplicate,
        }
    }

    fn of_ended(executed: &'a Executed) -> Self {
        let runs = executed.runs.iter();
        Self {
            event_id: &executed.event_id,
            runs: runs
                .map(|run| AcceptedRun {
                    id: &run.run_id,
                    function_id: &run.function_id,
                })
                .collect(),
            duplicate: executed.duplicate,
        }
    }
}

fn status(executed: &Executed) -> StatusCode {
    let failed = executed.runs.iter().any(|run| run.result.is_err());
    if failed {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}

impl<'a> EndedRuns<'a> {
    fn of(executed: &'a Executed) -> Self {
        let failure = executed
            .runs
            .iter()
            .find_map(|run| run.result.as_ref().err());
        Self {
            failure: failure.map(|error| Failure {
                error: true,
                message: error.report(),
                code: error.kind().as_str(),
            }),
            event_id: &executed.event_id,
            runs: executed.runs.iter().map(EndedRun::of).collect(),
            duplicate: executed.duplicate,
        }
    }

    fn json(&self) -> Vec<u8> {
        wire::json(self)
    }
}

impl<'a> EndedRun<'a> {
    fn of(run: &'a FinishedRun) -> Self {
        let error = run.result.as_ref().err();
        Self {
            id: &run.run_id,
            function_id: &run.function_id,
            status: run.status,
            output: run.result.as_deref().ok(),
            error: error.map(|error| RunError {
                message: error.report(),
                code: error.kind().as_str(),
            }),
        }
    }
}

/// The future of the last line of a stream; `None` once it is written.
type LastLine = Option<Pin<Box<dyn Future<Output = Vec<u8>> + Send>>>;

fn streamed(shared: &Shared, started: Started, tells: Tells, place: Place) -> Response {
    let clock = Arc::clone(&shared.clock);
    let event_id = HeaderValue::from_str(&started.event_id);
    let last: LastLine = Some(Box::pin(async move {
        let _place = place;
        match catch_future(started.wait()).await {
            Ok(executed) => tells.json(&executed),
            Err(error) => Refusal::from(error).json(),
        }
    }));
    // The first line is sent at once, so that a proxy sees the response begin.
    let lines = stream::unfold((last, Duration::ZERO), move |(mut last, pause)| {
        let clock = Arc::clone(&clock);
        async move {
            let line = tokio::select! {
                biased;
                line = last.as_mut()?, if !pause.is_zero() => {
                    last = None;
                    line
                }
                () = clock.expire_at(clock.now().after(pause)) => br#"{"heartbeat":true}"#.to_vec(),
            };
            let mut line = json_line(line);
            line.push(b'\n');
            Some((Ok::<_, Infallible>(Bytes::from(line)), (last, HEARTBEAT)))
        }
    });
    let mut response = answer::json(StatusCode::OK, Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    // A publisher need not wait for the last line.
    if let Ok(event_id) = event_id {
        headers.insert(wire::EVENT_ID, event_id);
    }
    // nginx would buffer the lines.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
