//! What is asked of the service, as it goes over the wire, and several messages at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    http::{HeaderName, StatusCode},
    routing::post,
};
use belts::{
    ErrorKind,
    dispatch::{
        Dispatcher, Message, MessageOptions, Qstash, QstashFlowControl, QstashOptions, Sent,
    },
    publish_all,
};
use belts_qstash_mock::{Faults, Refusal, When};
use serde_json::json;
use tokio::net::TcpListener;

use super::mail::*;

fn with(options: QstashOptions) -> MessageOptions {
    let mut all = MessageOptions::default();
    all.insert(options);
    all
}

#[tokio::test]
async fn every_option_of_a_message_goes_over_the_wire() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).retries(5).label("all").build().unwrap();
    let flow = QstashFlowControl::new("k").parallelism(2).rate(10);
    let options = QstashOptions::new()
        .retries(0)
        .retry_delay("1000 * (1 + retried)")
        .timeout(Duration::from_secs(30))
        .deduplication_id("d1")
        .flow_control(flow.period(Duration::from_secs(60)))
        .callback(format!("{url}/c"))
        .failure_callback(format!("{url}/f"))
        .label("own")
        .forward("authorization", "Bearer user")
        .redact_body()
        .redact_header("authorization");
    let message = Message::new("m1", *b"{}").with_options(with(options));
    let sent = qstash.send(vec![message]).await.unwrap().remove(0).unwrap();
    let message = mock.message(&sent.message_id.unwrap()).unwrap();
    let options = &message.options;
    assert_eq!(
        (message.url.as_str(), options.method.as_str()),
        (&*url, "POST")
    );
    assert_eq!(
        (options.retries, options.timeout),
        (0, Some(Duration::from_secs(30)))
    );
    let delay = options.retry_delay.as_ref().unwrap().delay(1);
    assert_eq!(delay, Duration::from_secs(2));
    assert_eq!(options.deduplication_id.as_deref(), Some("d1"));
    let flow = options.flow_control.as_ref().unwrap();
    assert_eq!(
        (&*flow.key, flow.limits.parallelism, flow.limits.rate),
        ("k", Some(2), Some(10))
    );
    assert_eq!(flow.limits.period, Some(Duration::from_secs(60)));
    assert_eq!(options.callback.as_ref().unwrap().url, format!("{url}/c"));
    assert_eq!(
        options.failure_callback.as_ref().unwrap().url,
        format!("{url}/f")
    );
    assert_eq!(options.labels, ["own", "all"]);
    assert!(options.redact.body);
    mock.idle(SOON).await.unwrap();
    let delivery = &mock.deliveries_of(&message.id)[0];
    assert_eq!(delivery.header("authorization"), "Bearer user");
    assert_eq!(delivery.header("content-type"), "application/json");
}

#[tokio::test]
async fn what_is_not_said_is_not_sent() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).build().unwrap();
    let sent = qstash.send(vec![Message::new("m1", *b"{}")]).await.unwrap();
    sent[0].as_ref().unwrap();
    let request = mock.requests().remove(0);
    assert_eq!(request.target, format!("/v2/publish/{url}"));
    let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
    names.retain(|name| name.starts_with("upstash-"));
    names.sort_unstable();
    assert_eq!(names, ["upstash-deduplication-id", "upstash-method"]);
    assert_eq!(request.headers["upstash-deduplication-id"], "m1");
}

#[tokio::test]
async fn the_destination_stands_in_the_request_as_it_was_written() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await + "/a%2Fb/belts?x=1&y=a%20b";
    let qstash = to(&mock, &url).build().unwrap();
    let sent = qstash.send(vec![Message::new("m1", *b"{}")]).await.unwrap();
    sent[0].as_ref().unwrap();
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries()[0].url, url);
    assert_eq!(mock.counts().delivered, 1);
}

#[tokio::test]
async fn several_messages_are_one_batch_and_each_is_answered_by_itself() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).max_bytes(100).build().unwrap();
    let unsendable = with(QstashOptions::new().label("a,b"));
    let unreadable = with(QstashOptions::new().retry_delay("1 +"));
    let batch = vec![
        Message::new("m1", *br#"{"n":"\u00e9 1"}"#),
        Message::new("m2", *b"{}").with_options(unsendable),
        Message::new("m3", "{\"n\":\"é 3\"}".as_bytes()).with_delay(Duration::from_millis(21)),
        Message::new("m4", *b"{}").with_options(unreadable),
        Message::new("m5", [b' '; 101]),
        Message::new("m1", *b"{}"),
        Message::new("m 6 – é", *b"\xff\xfe is no text"),
    ];
    let bodies: Vec<_> = batch.iter().map(|message| message.body.to_vec()).collect();
    let answers = qstash.send(batch).await.unwrap();
    let kind = |place: usize| answers[place].as_ref().unwrap_err().kind();
    let sent = |place: usize| -> &Sent { answers[place].as_ref().unwrap() };
    assert_eq!(answers.len(), 7);
    assert_eq!(kind(1), ErrorKind::Config);
    assert_eq!(kind(3), ErrorKind::Dispatcher);
    assert_eq!(kind(4), ErrorKind::TooLarge);
    assert!(told(answers[3].as_ref().unwrap_err()).contains("rejects the message: "));
    assert!(sent(5).duplicate && sent(5).message_id == sent(0).message_id);
    // What is no text cannot be in a batch.
    assert_eq!(mock.requests().len(), 2);
    mock.idle(SOON).await.unwrap();
    for place in [0, 2, 6] {
        let deliveries = mock.deliveries_of(sent(place).message_id.as_ref().unwrap());
        assert_eq!(deliveries[0].body, bodies[place], "{place}");
    }
    let delayed = mock.message(sent(2).message_id.as_ref().unwrap()).unwrap();
    assert_eq!(delayed.options.delay, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn many_messages_are_several_batches_in_their_order() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).build().unwrap();
    let batch =
        (0..250).map(|n| Message::new(format!("m{n}"), format!("{{\"n\":{n}}}").into_bytes()));
    let answers = qstash.send(batch.collect()).await.unwrap();
    assert_eq!(mock.requests().len(), 3);
    for (number, answer) in answers.iter().enumerate() {
        let id = answer.as_ref().unwrap().message_id.as_ref().unwrap();
        let message = mock.message(id).unwrap();
        assert_eq!(message.options.deduplication_id, Some(format!("m{number}")));
    }
    assert!(qstash.send(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_that_is_refused_is_one_error() {
    let mock = fast().start().unwrap();
    let qstash = to(&mock, "https://app.example/belts").build().unwrap();
    mock.set_faults(Faults {
        refuse: Some(Refusal::new(When::Always, 400)),
        ..Faults::default()
    });
    let batch = vec![Message::new("m1", *b"{}"), Message::new("m2", *b"{}")];
    let error = qstash.send(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", told(&error));
}

/// All 250 were told of as failed although a hundred of them were on their way.
#[tokio::test]
async fn a_batch_that_is_refused_after_another_leaves_that_one_its_answers() {
    let calls = Arc::new(AtomicU32::new(0));
    let answers = {
        let calls = Arc::clone(&calls);
        move |Json(items): Json<Vec<serde_json::Value>>| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                if call > 0 {
                    return Err((StatusCode::BAD_REQUEST, "no more today"));
                }
                let ids = (0..items.len()).map(|n| json!({ "messageId": format!("id-{n}") }));
                Ok(Json(ids.collect::<Vec<_>>()))
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v2/batch", post(answers));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let qstash = Qstash::builder("token", "https://app.example/belts");
    let qstash = qstash
        .url(url)
        .signing_keys("sig_a", "sig_b")
        .build()
        .unwrap();
    let batch = (0..250).map(|n| Message::new(format!("m{n}"), *b"{}"));
    let answers = qstash.send(batch.collect()).await.unwrap();
    let sent: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(sent, (0..250).map(|n| n < 100).collect::<Vec<_>>());
    assert_eq!(
        calls.load(Ordering::Relaxed),
        2,
        "what comes behind is not sent"
    );
    let error = answers[249].as_ref().unwrap_err();
    assert!(told(error).contains("no more today"), "{}", told(error));
}

#[tokio::test]
async fn a_publisher_gives_an_event_its_options() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    publish_mail_ordered(mail_ordered("with options"))
        .option(QstashOptions::new().label("orders").retries(0))
        .via(&served.worker)
        .await
        .unwrap();
    completed(&served.worker, 1).await;
    let message = mock.messages().remove(0);
    assert_eq!(
        (message.options.retries, &*message.options.labels[0]),
        (0, "orders")
    );
}

#[tokio::test]
async fn events_published_together_are_one_request_and_each_has_its_outcome() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    let before = mock.requests().len();
    let outcomes = publish_all([
        publish_mail_ordered(mail_ordered("together 1")),
        publish_mail_ordered(mail_ordered("together 2")).idempotency_key(""),
        publish_mail_ordered(mail_ordered("together 3"))
            .option(QstashOptions::new().label("orders")),
    ])
    .via(&served.worker)
    .await;
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().err().map(belts::Error::kind))
        .collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Config), None]);
    assert_eq!(mock.requests().len(), before + 1);
    completed(&served.worker, 2).await;
    let labels: Vec<_> = mock
        .messages()
        .iter()
        .map(|message| message.options.labels.len())
        .collect();
    assert_eq!(labels.iter().sum::<usize>(), 1, "{labels:?}");
}
