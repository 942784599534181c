//! The example on AWS Lambda, in an emulated runtime: invocations are what QStash posts to the function's URL.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use belts_qstash_mock::{Message, Mock};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot},
};

use crate::program::{Running, SOON, command, directory};

/// An invocation of the function, and where its answer goes.
type Invocation = (Value, oneshot::Sender<Value>);

/// What the emulated service knows: invocations that wait for the function, and answers that it owes.
struct Service {
    asked: mpsc::Sender<Invocation>,
    next: Mutex<mpsc::Receiver<Invocation>>,
    owed: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

/// A request to the function's URL, as Lambda hands it over, and the function's answer as a response.
async fn invoke(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Response {
    let headers: HashMap<_, _> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let request = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": headers, "body": STANDARD.encode(&body), "isBase64Encoded": true,
        "requestContext": {
            "accountId": "anonymous", "apiId": "id", "domainName": "id.lambda-url.example", "requestId": "id",
            "routeKey": "$default", "stage": "$default", "timeEpoch": 0,
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "any"},
        },
    });
    let (answer, answered) = oneshot::channel();
    service.asked.send((request, answer)).await.unwrap();
    let answer = answered.await.unwrap();
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// The function asks for its next invocation.
async fn next(State(service): State<Arc<Service>>) -> Response {
    let (request, answer) = service.next.lock().await.recv().await.unwrap();
    let mut owed = service.owed.lock().await;
    let id = format!("invocation-{}", owed.len());
    owed.insert(id.clone(), answer);
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", "9999999999999".to_owned()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:any:0:function:report".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned(),
        ),
    ];
    (headers, Json(request)).into_response()
}

async fn answer(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    answer: Bytes,
) -> StatusCode {
    let waiting = service.owed.lock().await.remove(&id).unwrap();
    waiting
        .send(serde_json::from_slice(&answer).unwrap())
        .unwrap();
    StatusCode::ACCEPTED
}

/// The emulated service; where it listens.
async fn service() -> String {
    let (asked, next_asked) = mpsc::channel(16);
    let service = Arc::new(Service {
        asked,
        next: Mutex::new(next_asked),
        owed: Mutex::default(),
    });
    let runtime = Router::new()
        .route("/invocation/next", routing::get(next))
        .route("/invocation/{id}/response", routing::post(answer));
    let app = Router::new()
        .route("/", routing::post(invoke))
        .nest("/2018-06-01/runtime", runtime)
        .with_state(service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn lambda_drives_a_run_within_an_invocation_and_hands_its_sleep_on() {
    let lambda = service().await;
    let qstash = Mock::start().unwrap();
    let (directory, keys) = (directory(), qstash.keys());
    let url = format!("http://{lambda}/");
    let mut command = command("lambda", &directory);
    command
        .env("AWS_LAMBDA_RUNTIME_API", &lambda)
        .env("AWS_LAMBDA_FUNCTION_NAME", "report")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "any")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "any")
        .env(
            "BELTS_STORE",
            format!("sqlite://{}", directory.path().join("belts.db").display()),
        )
        .env("BELTS_URL", &url)
        .env("QSTASH_URL", qstash.url())
        .env("QSTASH_TOKEN", qstash.token())
        .env("QSTASH_CURRENT_SIGNING_KEY", &keys.current)
        .env("QSTASH_NEXT_SIGNING_KEY", &keys.next);
    let _example = Running::start(command);

    let event = json!({"event": {"type": "report-asked", "month": "2026-11"}});
    let publish = reqwest::Client::new()
        .post(format!("{}/v2/publish/{url}", qstash.url()))
        .bearer_auth(qstash.token())
        .header("content-type", "application/json")
        .body(event.to_string());
    assert!(publish.send().await.unwrap().status().is_success());

    // The event, and the rest of the run two hours later.
    let messages = qstash.until(SOON, |mock| {
        let messages = mock.messages();
        (messages.len() == 2).then_some(messages)
    });
    let messages = messages.await.unwrap();
    let is_event = |message: &&Message| message.body.starts_with(b"{\"event\"");
    let (event, rest) = (
        messages.iter().find(is_event),
        messages.iter().find(|message| !is_event(message)),
    );
    let (event, rest) = (event.unwrap(), rest.unwrap());
    let hours = Duration::from_millis(rest.not_before - event.created_at);
    assert!(
        hours.abs_diff(Duration::from_secs(7200)) < SOON,
        "{hours:?}"
    );
    let delivered = qstash.until(SOON, |mock| {
        mock.deliveries_of(&event.id).into_iter().next()
    });
    assert_eq!(delivered.await.unwrap().status(), 200);
    assert_eq!(qstash.deliveries().len(), 1);
}
