//! Runs behind a worker's router.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    named::{Named, value_of},
    place::{Completion, Filters, Place, Sent, Settlement, Stopped},
    print,
    wrong::Wrong,
};
use crate::{
    clock::{Clock as _, SystemClock, Timestamp},
    dispatch::{
        Dispatcher as _, Http, Message,
        post::{Answer, Poster, Timeouts},
        wire,
    },
    environment::{self, INSPECTION_TOKEN, SIGNING_KEYS, STORE},
    error::{Error, ErrorKind, Result},
    http::{
        development,
        settle::Settle,
        url::{check_url, is_local},
    },
    inspect::Exported,
    inspect::shape::{
        Changed, ChangedFunction, Forgotten, ShownCancelled, ShownFunction, ShownFunctions,
        ShownPage, ShownPurge, ShownRun,
    },
    inspect::shown_schedule::{
        Action, ChangedSchedule, PutSchedule, ShownSchedule, ShownSchedules,
    },
    schedule::When,
    store::{self, NewEvent, Reencrypt},
    url::encoded,
};

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    request: Duration::from_secs(60),
};
/// The size limit of a response: a run with all its values may be large.
const LONGEST_ANSWER: usize = 256 * 1024 * 1024;

pub(super) struct Remote {
    /// Without a trailing slash.
    url: String,
    headers: HeaderMap,
    client: Poster,
    /// Publishes events like any other program.
    events: Http,
}

/// A router's response to a callback that was completed.
#[derive(Deserialize)]
struct Completed {
    #[serde(rename = "completed")]
    _completed: bool,
}

/// A router's error response.
#[derive(Deserialize)]
struct Refused {
    message: String,
    code: String,
    /// How many runs were cancelled before.
    #[serde(default)]
    cancelled: usize,
    /// Where the next part of them begins.
    #[serde(default)]
    next: Option<String>,
}

/// The token of a worker: the configured one, or the one that a worker on this machine keeps next to its store.
fn token_for(url: &str) -> Result<Option<String>, Wrong> {
    if let Some(token) = value_of(&INSPECTION_TOKEN)? {
        return Ok(Some(token));
    }
    let uri = url.parse::<Uri>().ok();
    if !uri.is_some_and(|uri| uri.host().is_some_and(is_local)) {
        return Ok(None);
    }
    let store = STORE
        .read_or_default(&environment::of_process)
        .map_err(Wrong::usage)?;
    Ok(store::url::file(&store).and_then(|file| development::find(Path::new(&file))))
}

impl Remote {
    pub(super) fn new(worker: &Named, actor: &str) -> Result<Self, Wrong> {
        let Named { url, by } = worker;
        check_url(url).map_err(|expected| Wrong::usage(format!("{by} {expected}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        // Characters not allowed in a header were escaped; a name is not worth an error.
        if let Ok(actor) = HeaderValue::from_bytes(actor.as_bytes()) {
            headers.insert(wire::ACTOR, actor);
        }
        if let Some(token) = token_for(url)? {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                Wrong::usage(format!(
                    "{INSPECTION_TOKEN} has characters that are not allowed in a header"
                ))
            })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
            warn_of_open_road(url);
        }
        let keys = value_of(&SIGNING_KEYS)?.unwrap_or_default();
        let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self {
            client: Poster::new(TIMEOUTS, url.starts_with("https:"))?.longest(LONGEST_ANSWER),
            events: Http::builder(&url).signing_keys(keys).retries(1).build()?,
            headers,
            url,
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::GET, path).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::POST, path).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T> {
        let answer = self.send(method, path, Bytes::new()).await?;
        read(&self.url, &answer)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer> {
        let answer = self.answer(method, path, body).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&answer));
        }
        Ok(answer)
    }

    /// The response, whatever its status.
    async fn answer(&self, method: Method, path: &str, body: Bytes) -> Result<Answer> {
        let url: Uri = format!("{}{path}", self.url).parse().map_err(|error| {
            Error::new(ErrorKind::Config, "`--worker` is not a valid URL").with_source(error)
        })?;
        let answered = self.client.send(method, &url, &self.headers, &body).await;
        answered.map_err(|failed| {
            let text = format!("the worker at {} does not respond", self.url);
            Error::dispatcher(text, failed.into_source())
        })
    }

    fn refused(&self, answer: &Answer) -> Error {
        let (url, status) = (&self.url, answer.status.as_u16());
        let Ok(refused) = serde_json::from_slice::<Refused>(&answer.body) else {
            let text = format!(
                "{url} answers with status {status}: `--worker` must be the URL at which a worker's router is mounted"
            );
            return Error::new(ErrorKind::Config, text);
        };
        match (status, &*refused.code) {
            (404, "unknown-run") => Error::new(ErrorKind::UnknownRun, refused.message),
            (404, "unknown-function") => Error::new(ErrorKind::UnknownFunction, refused.message),
            (404, "unknown-schedule") => Error::new(ErrorKind::UnknownSchedule, refused.message),
            (404, "unknown-callback") => Error::new(ErrorKind::UnknownCallback, refused.message),
            (410, "callback-closed") => Error::new(ErrorKind::CallbackClosed, refused.message),
            (409, "conflict") => Error::new(ErrorKind::Conflict, refused.message),
            (404, _) => Error::new(
                ErrorKind::Config,
                format!(
                    "the worker at {url} does not allow inspection from here: give it an inspection token, and set \
                     BELTS_INSPECTION_TOKEN here to the same"
                ),
            ),
            (401, _) => Error::new(
                ErrorKind::Config,
                format!(
                    "the worker at {url} requires its inspection token: set BELTS_INSPECTION_TOKEN here to the same; if \
                     `serve` made the token, run this on its machine, in its directory or with its BELTS_STORE"
                ),
            ),
            _ => Error::new(
                ErrorKind::Failed,
                format!("the worker at {url} responded: {}", refused.message),
            ),
        }
    }
}

fn read<T: DeserializeOwned>(url: &str, answer: &Answer) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let text = format!("the server at {url} is not a worker of this version");
        Error::new(ErrorKind::Config, text).with_source(error)
    })
}

/// The query with these filters.
fn parameters(asked: Filters) -> String {
    let statuses = Some(asked.statuses.join(",")).filter(|words| !words.is_empty());
    let limit = (asked.limit > 0).then(|| asked.limit.to_string());
    let parameters = [
        ("limit", limit),
        ("function", asked.function),
        ("event", asked.event),
        ("parent", asked.parent),
        ("status", statuses),
        ("since", asked.since.map(|time| time.to_string())),
        ("until", asked.until.map(|time| time.to_string())),
        ("page", asked.page),
    ];
    let tags = asked.tags.iter().map(|tag| ("tag", Some(tag.to_string())));
    let pairs: Vec<String> = parameters
        .into_iter()
        .chain(tags)
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))))
        .collect();
    pairs.join("&")
}

/// The query that puts a schedule.
fn plan(asked: &PutSchedule) -> String {
    let schedule = &asked.schedule;
    let mut pairs = vec![
        ("function", asked.function_id.clone()),
        ("missed", schedule.missed.to_string()),
        ("overlap", schedule.overlap.to_string()),
        ("jitter", format!("{}ms", schedule.jitter.as_millis())),
    ];
    match &schedule.when {
        When::Every(every) => pairs.push(("every", format!("{}ms", every.as_millis()))),
        When::Cron { expression, zone } => {
            pairs.push(("cron", expression.clone()));
            pairs.extend(zone.iter().map(|zone| ("tz", zone.clone())));
        }
    }
    pairs.extend(
        asked
            .data
            .iter()
            .map(|data| ("data", data.get().to_owned())),
    );
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[async_trait]
impl Place for Remote {
    async fn list(&self, asked: Filters) -> Result<ShownPage> {
        self.get(&format!("/runs?{}", parameters(asked))).await
    }

    async fn run(&self, id: &str, values: bool) -> Result<ShownRun> {
        self.get(&format!("/runs/{}?values={values}", encoded(id)))
            .await
    }

    async fn export(&self, id: &str) -> Result<Exported> {
        self.get(&format!("/runs/{}/export", encoded(id))).await
    }

    async fn cancel(&self, id: &str) -> Result<Changed> {
        self.post(&format!("/runs/{}/cancel", encoded(id))).await
    }

    async fn cancel_some(&self, asked: Filters) -> Result<ShownCancelled, Stopped> {
        let path = format!("/runs/cancel?{}", parameters(asked));
        let stopped = |cancelled, next| {
            move |error| Stopped {
                cancelled,
                next,
                error,
            }
        };
        let answered = self.answer(Method::POST, &path, Bytes::new()).await;
        let answer = answered.map_err(stopped(0, None))?;
        if answer.status != StatusCode::OK {
            let refused = serde_json::from_slice::<Refused>(&answer.body).ok();
            let done = refused.map_or((0, None), |refused| (refused.cancelled, refused.next));
            return Err(stopped(done.0, done.1)(self.refused(&answer)));
        }
        read(&self.url, &answer).map_err(stopped(0, None))
    }

    async fn rerun(&self, id: &str, from: Option<&str>) -> Result<Changed> {
        let query = from.map_or_else(String::new, |step| format!("?from={}", encoded(step)));
        self.post(&format!("/runs/{}/rerun{query}", encoded(id)))
            .await
    }

    async fn purge(&self, before: Timestamp) -> Result<ShownPurge> {
        self.post(&format!(
            "/runs/purge?before={}",
            encoded(&before.to_string())
        ))
        .await
    }

    fn reencrypt(&self) -> Result<Reencrypt> {
        Err(Error::new(
            ErrorKind::Config,
            "a worker does not encrypt its store anew: name the store itself with `--store <URL>`",
        ))
    }

    async fn functions(&self) -> Result<Vec<ShownFunction>> {
        let shown = self.get::<ShownFunctions>("/functions").await?;
        Ok(shown.functions)
    }

    async fn pause(&self, function: &str) -> Result<ChangedFunction> {
        self.post(&format!("/functions/{}/pause", encoded(function)))
            .await
    }

    async fn resume(&self, function: &str) -> Result<ChangedFunction> {
        self.post(&format!("/functions/{}/resume", encoded(function)))
            .await
    }

    async fn forget(&self, function: &str) -> Result<Forgotten> {
        self.post(&format!("/functions/{}/forget", encoded(function)))
            .await
    }

    async fn schedules(&self, next: usize) -> Result<Vec<ShownSchedule>> {
        let mut path = format!("/schedules?next={next}");
        let mut all = Vec::new();
        loop {
            let shown = self.get::<ShownSchedules>(&path).await?;
            all.extend(shown.schedules);
            let Some(after) = shown.next else {
                return Ok(all);
            };
            path = format!("/schedules?next={next}&after={}", encoded(&after));
        }
    }

    async fn change_schedule(&self, name: &str, action: Action) -> Result<ChangedSchedule> {
        let path = format!("/schedules/{}/{}", encoded(name), action.as_str());
        self.post(&path).await
    }

    async fn put_schedule(&self, asked: PutSchedule) -> Result<ChangedSchedule> {
        let path = format!("/schedules/{}/put?{}", encoded(&asked.name), plan(&asked));
        self.post(&path).await
    }

    async fn complete(&self, callback: &Arc<str>, completion: Completion) -> Result<()> {
        #[derive(Serialize)]
        struct Failure {
            message: String,
        }
        let path = format!("/callbacks/{}", encoded(callback));
        let (path, body) = match completion {
            Completion::Value(value) => (path, value.get().as_bytes().to_vec()),
            Completion::Failure(message) => {
                (format!("{path}/failure"), wire::json(&Failure { message }))
            }
        };
        let sent = self.send(Method::POST, &path, body.into()).await?;
        let Completed { .. } = read(&self.url, &sent)?;
        Ok(())
    }

    async fn settle(&self, run: &str, step: &str, settlement: Settlement) -> Result<()> {
        let body = match settlement {
            Settlement::Value(value) => Settle::Value(value),
            Settlement::Retry => Settle::Retry,
            Settlement::Failure(message) => Settle::Fail(message),
        };
        let path = format!("/runs/{}/settle?step={}", encoded(run), encoded(step));
        let body = wire::json(&body).into();
        let answer = self.answer(Method::POST, &path, body).await?;
        if answer.status == StatusCode::OK {
            return Ok(());
        }
        Err(self.refused(&answer))
    }

    async fn publish(&self, event: NewEvent) -> Result<Sent> {
        let body = wire::event(&event, SystemClock.now());
        let mut sent = self.events.send(vec![Message::new(event.id, body)]).await?;
        let sent = sent.pop().ok_or_else(|| {
            Error::dispatcher("the event may not have been sent", "there was no response")
        })??;
        Ok(Sent {
            duplicate: sent.duplicate,
            runs: None,
        })
    }
}

/// Warns before a token is sent where others on the network path can read it.
fn warn_of_open_road(url: &str) {
    let open = url.parse::<Uri>().ok().filter(|url| {
        let local = url.host().is_some_and(is_local);
        url.scheme_str() == Some("http") && !local
    });
    if let Some(host) = open.as_ref().and_then(Uri::host) {
        print::tell(&format!(
            "warning: BELTS_INSPECTION_TOKEN is sent to {host} over plain http, where anyone on the network path can read it; use \
             https, or a tunnel to that machine"
        ));
    }
}
