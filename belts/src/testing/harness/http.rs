//! Requests to a harness's router without a socket.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, header},
};
use serde::{Serialize, de::DeserializeOwned};
use tower_service::Service as _;
use uuid::Uuid;

use super::Harness;
use crate::{
    error::{Error, ErrorKind, Result},
    http::{HttpMode, SigningKey},
};

impl Harness {
    /// The worker's router, until the next [`restart`](Self::restart). No loop runs next to it, so it answers a
    /// delivery when its runs have ended, unless the request selects another [mode](HttpMode).
    pub fn router(&self) -> Router {
        self.worker().open_router()
    }

    /// Posts JSON to the router's root, like a delivery over HTTP: await it, with or without options.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    /// use serde_json::json;
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct OrderCreated { cents: u64 }
    ///
    /// #[belts::function(id = "process-order", on = OrderCreated)]
    /// async fn process_order(order: OrderCreated) -> belts::Result<u64> {
    ///     step!("double", order.cents * 2).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// let answer = harness.post(json!({ "event": { "type": "order-created", "cents": 500 } })).await?;
    /// answer.assert_status(200);
    /// assert_eq!(answer.json::<serde_json::Value>()?["runs"][0]["output"], 1000);
    /// # Ok(()) }
    /// ```
    pub fn post(&self, body: impl Serialize) -> Post {
        Post {
            harness: self.clone(),
            body: serde_json::to_vec(&body).map_err(|error| {
                Error::new(ErrorKind::Codec, "the body cannot be written as JSON")
                    .with_source(error)
            }),
            uri: "/",
            headers: Vec::new(),
            key: None,
        }
    }

    /// Sends any request to the router.
    ///
    /// ```rust,standalone_crate
    /// use axum::{body::Body, http::Request};
    /// use belts::testing::Harness;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = Harness::new().await?;
    /// let answer = harness.request(Request::get("/health").body(Body::empty())?).await?;
    /// assert_eq!(answer.status(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The worker died before it responded, as requested by the test; [`restart`](Self::restart) and send again.
    pub async fn request(&self, request: Request<Body>) -> Result<Answer> {
        let life = self.life();
        let mut router = life.worker.open_router();
        tokio::select! {
            biased;
            () = life.faults.crashed() => Err(died()),
            answer = async {
                let Ok(answer) = life.worker.scope(router.call(request)).await;
                let (parts, body) = answer.into_parts();
                let body = to_bytes(body, usize::MAX).await;
                body.map(|body| Answer { status: parts.status.as_u16(), headers: parts.headers, body })
            } => answer.map_err(|error| died().with_source(error)),
        }
    }
}

fn died() -> Error {
    Error::new(ErrorKind::Shutdown, "the worker died before it responded")
}

/// A `POST` to be sent: await it, with or without options. See [`Harness::post`].
#[must_use = "nothing is sent until this is awaited: add `.await`"]
#[derive(Debug)]
pub struct Post {
    harness: Harness,
    body: Result<Vec<u8>>,
    uri: &'static str,
    headers: Vec<(String, String)>,
    key: Option<SigningKey>,
}

impl Post {
    /// Selects the mode of the response.
    pub fn mode(mut self, mode: HttpMode) -> Self {
        self.uri = match mode {
            HttpMode::Accept => "/?mode=accept",
            HttpMode::Sync => "/?mode=sync",
            HttpMode::Stream => "/?mode=stream",
        };
        self
    }

    /// Adds a header. Requests with the same `webhook-id` are duplicates of one message.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Signs the request, using the harness's clock; the message's id is new unless a header `webhook-id` gives one.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    /// use serde_json::json;
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ping {}
    ///
    /// #[belts::function(id = "pong", on = Ping)]
    /// async fn pong(_: Ping) -> belts::Result<()> { step!("pong", ()).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    /// let harness = Harness::builder().worker(move |worker| worker.signing_keys([key])).build().await?;
    /// let ping = json!({ "event": { "type": "ping" } });
    /// harness.post(&ping).signed(key.parse()?).await?.assert_status(200);
    /// harness.post(&ping).await?.assert_status(401);
    /// # Ok(()) }
    /// ```
    pub fn signed(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    async fn go(mut self) -> Result<Answer> {
        let body = self.body?;
        if let Some(key) = &self.key {
            let id = self.headers.iter().position(|(name, _)| name == ID);
            let id = id.map_or_else(
                || Uuid::now_v7().to_string(),
                |index| self.headers.swap_remove(index).1,
            );
            let signed = key.sign(&id, self.harness.now(), &body);
            let signed = signed.map(|(name, value)| (name.to_owned(), value));
            self.headers.extend(signed);
        }
        let mut request = Request::post(self.uri).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body)).map_err(|error| {
            Error::new(ErrorKind::Config, "a header of the request cannot be sent")
                .with_source(error)
        })?;
        self.harness.request(request).await
    }
}

const ID: &str = crate::dispatch::wire::WEBHOOK_ID;

impl IntoFuture for Post {
    type Output = Result<Answer>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}

/// A response of the router.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header whose value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            Error::new(
                ErrorKind::Codec,
                format!("the response is not a `{wanted}`"),
            )
            .with_source(error)
        })
    }

    /// Asserts the status code.
    ///
    /// # Panics
    /// It differs; the message shows the body.
    #[track_caller]
    pub fn assert_status(&self, expected: u16) -> &Self {
        assert!(
            self.status == expected,
            "the status should be {expected}, but is {}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish_non_exhaustive()
    }
}
