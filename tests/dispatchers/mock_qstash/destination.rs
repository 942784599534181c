//! A destination that answers as it is told, and a publisher without an SDK.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use belts_qstash_mock::{Delivery, Mock, Settings};
use serde_json::Value;
use tokio::net::TcpListener;

/// Long enough for every wait of these tests, of which none should need it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Where the SDKs are installed.
pub(crate) fn packages() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A mock whose waits take thousandths of the service's.
pub(crate) fn fast() -> Settings {
    Mock::settings().speed(1_000.0)
}

/// What reached the destination.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn retried(&self) -> u32 {
        self.headers["upstash-retried"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// A server that answers as `answer` says; returns its URL, without a slash behind. It ends with the test's runtime.
pub(crate) async fn destination<A: IntoResponse>(
    answer: impl Fn(Seen) -> A + Send + Sync + 'static,
) -> String {
    let answer = Arc::new(answer);
    let handler = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let seen = Seen {
            path: uri.to_string(),
            headers,
            body,
        };
        let answer = answer(seen).into_response();
        async move { answer }
    };
    serve(Router::new().fallback(handler)).await
}

/// A server that answers each request only after the test lets it.
pub(crate) async fn gated(gate: Arc<tokio::sync::Semaphore>) -> String {
    let handler = move || {
        let gate = Arc::clone(&gate);
        async move { gate.acquire_owned().await.unwrap().forget() }
    };
    serve(Router::new().fallback(handler)).await
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// A destination that always answers this.
pub(crate) async fn always(status: u16) -> String {
    destination(move |_| StatusCode::from_u16(status).unwrap()).await
}

/// An answer with headers.
pub(crate) fn with_headers<const N: usize>(
    status: u16,
    headers: [(&'static str, &'static str); N],
) -> Response {
    (StatusCode::from_u16(status).unwrap(), headers).into_response()
}

/// What the mock answered.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Said {
    pub(crate) fn id(&self) -> String {
        self.body["messageId"]
            .as_str()
            .expect("a message id")
            .to_owned()
    }
}

/// Asks the API of the mock, with its token.
pub(crate) async fn ask(
    mock: &Mock,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Said {
    let mut request =
        reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", mock.url()));
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.bearer_auth(mock.token());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body.to_owned()).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    Said {
        status,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

pub(crate) async fn get(mock: &Mock, path: &str) -> Said {
    ask(mock, "GET", path, &[], "").await
}

/// Publishes the body `hello` and returns the message's id.
pub(crate) async fn publish(mock: &Mock, destination: &str, headers: &[(&str, &str)]) -> String {
    let said = ask(
        mock,
        "POST",
        &format!("/v2/publish/{destination}"),
        headers,
        "hello",
    )
    .await;
    assert_eq!(said.status, 200, "{said:?}");
    said.id()
}

/// Publishes, waits until nothing more happens, and returns the deliveries of the message.
pub(crate) async fn delivered(
    mock: &Mock,
    destination: &str,
    headers: &[(&str, &str)],
) -> Vec<Delivery> {
    let id = publish(mock, destination, headers).await;
    mock.idle(SOON).await.unwrap();
    mock.deliveries_of(&id)
}

/// How long after the one before it this delivery was sent.
pub(crate) fn pause(deliveries: &[Delivery], number: usize) -> Duration {
    deliveries[number]
        .sent_at
        .saturating_sub(deliveries[number - 1].sent_at)
}
