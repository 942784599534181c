//! What the service may answer that `moto` does not: partial failures, throttling, missing rights.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use belts::{
    ErrorKind,
    dispatch::{Dispatcher as _, Message, Receipt, Sqs},
};
use belts_suite::servers::sqs_client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::queue::soon;

/// What the next calls of an operation are answered; any other is answered by an empty object.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<Scripted>>>);

/// A call, and the status and body of its answer.
type Scripted = (&'static str, u16, Value);

impl Script {
    fn answer(&self, operation: &'static str, status: u16, body: Value) {
        self.0.lock().unwrap().push((operation, status, body));
    }
}

async fn answer(State(script): State<Script>, headers: HeaderMap) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let mut script = script.0.lock().unwrap();
    let place = script
        .iter()
        .position(|(operation, ..)| target.ends_with(operation));
    let (status, body) = place.map_or((200, json!({})), |place| {
        let (_, status, body) = script.remove(place);
        (status, body)
    });
    let content = [("content-type", "application/x-amz-json-1.0")];
    (
        StatusCode::from_u16(status).unwrap(),
        content,
        body.to_string(),
    )
        .into_response()
}

fn error(code: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": "why" })
}

/// The URL of a queue of a service that answers by a script.
async fn service() -> (Script, String) {
    let script = Script::default();
    let router = Router::new().fallback(answer).with_state(script.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/17/orders", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (script, url)
}

async fn open(url: &str) -> belts::Result<Sqs> {
    let endpoint = url.strip_suffix("/17/orders").unwrap();
    soon(
        "it is opened",
        Sqs::builder(url).client(sqs_client(endpoint)).open(),
    )
    .await
}

fn messages(count: usize) -> Vec<Message> {
    (0..count)
        .map(|id| Message::new(id.to_string(), *b"{}"))
        .collect()
}

fn kinds<T>(answers: &[belts::Result<T>]) -> Vec<Option<ErrorKind>> {
    answers
        .iter()
        .map(|it| it.as_ref().err().map(belts::Error::kind))
        .collect()
}

fn taken(ids: &[&str]) -> Vec<Value> {
    ids.iter()
        .map(|id| json!({ "Id": id, "MessageId": format!("m-{id}"), "MD5OfMessageBody": "" }))
        .collect()
}

#[tokio::test]
async fn partial_failures_are_answered_in_the_order_of_the_messages() {
    let (script, url) = service().await;
    let sqs = open(&url).await.unwrap();
    let answer = json!({
        "Successful": taken(&["3", "0"]),
        "Failed": [
            { "Id": "2", "SenderFault": false, "Code": "InternalError", "Message": "try again" },
            { "Id": "1", "SenderFault": true, "Code": "InvalidMessageContents" },
        ],
    });
    script.answer("SendMessageBatch", 200, answer);
    let answers = sqs.send(messages(5)).await.unwrap();
    let (config, dispatcher) = (Some(ErrorKind::Config), Some(ErrorKind::Dispatcher));
    assert_eq!(
        kinds(&answers),
        [None, config, dispatcher, None, dispatcher]
    );
    assert_eq!(
        answers[3].as_ref().unwrap().message_id.as_deref(),
        Some("m-3")
    );
    let report = answers[2].as_ref().unwrap_err().report();
    assert_eq!(
        report,
        "the SQS queue `orders` failed: InternalError: try again"
    );
}

/// SQS refuses a call whole for some faults of one of its messages.
#[tokio::test]
async fn message_that_spoils_its_call_spoils_no_other_message() {
    let (script, url) = service().await;
    let sqs = open(&url).await.unwrap();
    script.answer("SendMessageBatch", 400, error("InvalidParameterValue"));
    script.answer(
        "SendMessageBatch",
        200,
        json!({ "Successful": taken(&["0"]) }),
    );
    script.answer("SendMessageBatch", 400, error("InvalidParameterValue"));
    script.answer(
        "SendMessageBatch",
        200,
        json!({ "Successful": taken(&["2"]) }),
    );
    let answers = sqs.send(messages(3)).await.unwrap();
    assert_eq!(kinds(&answers), [None, Some(ErrorKind::Config), None]);
}

#[tokio::test]
async fn what_follows_a_failed_call_is_not_sent_out_of_order() {
    let (script, url) = service().await;
    let sqs = open(&url).await.unwrap();
    let ids: Vec<String> = (0..10).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    script.answer(
        "SendMessageBatch",
        200,
        json!({ "Successful": taken(&ids) }),
    );
    script.answer("SendMessageBatch", 403, error("AccessDeniedException"));
    let answers = sqs.send(messages(25)).await.unwrap();
    let failed = kinds(&answers);
    assert_eq!(failed[..10], [None; 10]);
    assert_eq!(failed[10..], [Some(ErrorKind::Dispatcher); 15]);
    script.answer("SendMessageBatch", 403, error("AccessDeniedException"));
    let error = sqs.send(messages(2)).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Dispatcher,
        "rights may be given while it runs"
    );
    assert!(error.to_string().contains("sqs:SendMessage"), "{error}");
}

#[tokio::test]
async fn call_that_fails_in_passing_is_made_again() {
    let (script, url) = service().await;
    let sqs = open(&url).await.unwrap();
    script.answer("SendMessageBatch", 400, error("RequestThrottled"));
    script.answer("SendMessageBatch", 503, error("ServiceUnavailable"));
    script.answer(
        "SendMessageBatch",
        200,
        json!({ "Successful": taken(&["0"]) }),
    );
    let answers = sqs.send(messages(1)).await.unwrap();
    assert_eq!(kinds(&answers), [None]);
}

#[tokio::test]
async fn rights_credentials_and_region_are_settings() {
    let (script, url) = service().await;
    let cases = [
        ("AccessDeniedException", "sqs:GetQueueAttributes"),
        ("InvalidClientTokenId", "refuses the credentials"),
        ("InvalidAddress", "`region`"),
    ];
    for (code, part) in cases {
        script.answer("GetQueueAttributes", 403, error(code));
        let error = open(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
        assert!(error.to_string().contains(part), "{}", error.report());
    }
}

#[tokio::test]
async fn acknowledgement_that_fails_in_part_is_told() {
    let (script, url) = service().await;
    let sqs = open(&url).await.unwrap();
    let late =
        "Value r-1 for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
    let answer = json!({
        "Successful": [{ "Id": "0" }],
        "Failed": [{ "Id": "1", "SenderFault": true, "Code": "InvalidParameterValue", "Message": late }],
    });
    script.answer("DeleteMessageBatch", 200, answer);
    let error = sqs
        .ack(vec![Receipt::new("r-0"), Receipt::new("r-1")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    assert!(error.to_string().contains("another receiver"), "{error}");
}
