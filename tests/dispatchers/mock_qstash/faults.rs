//! The mock's faults: each does what it is for, and nothing else.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use belts_qstash_mock::{Faults, Mock, Refusal, When};

use serde_json::json;

use super::destination::*;

#[tokio::test]
async fn a_message_is_delivered_twice_with_the_same_id_and_another_token() {
    let mock = fast().start().unwrap();
    mock.set_faults(Faults {
        deliver_twice: When::Always,
        ..Faults::default()
    });
    let deliveries = delivered(&mock, &always(200).await, &[]).await;
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries[1].sent_at >= deliveries[0].sent_at + deliveries[0].took);
    assert_eq!(
        deliveries[0].header("upstash-message-id"),
        deliveries[1].header("upstash-message-id")
    );
    assert_ne!(
        deliveries[0].header("upstash-signature"),
        deliveries[1].header("upstash-signature")
    );
    assert_eq!(mock.counts().delivered, 1);
}

#[tokio::test]
async fn a_message_is_delivered_twice_at_the_same_time() {
    let mock = fast().start().unwrap();
    mock.set_faults(Faults {
        deliver_at_once: When::Attempts(vec![0]),
        ..Faults::default()
    });
    // It answers nobody before both are there.
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let app = axum::Router::new().fallback(move || {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(delivered(&mock, &url, &[]).await.len(), 2);
}

#[tokio::test]
async fn a_lost_answer_makes_the_message_come_again() {
    let mock = fast().start().unwrap();
    mock.set_faults(Faults {
        lose_answer: When::Attempts(vec![0, 1]),
        ..Faults::default()
    });
    let deliveries = delivered(&mock, &always(200).await, &[]).await;
    let lost: Vec<_> = deliveries
        .iter()
        .map(|delivery| (delivery.status(), delivery.lost))
        .collect();
    assert_eq!(lost, [(200, true), (200, true), (200, false)]);
}

#[tokio::test]
async fn a_share_is_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mock = fast().seed(7).start().unwrap();
        mock.set_faults(Faults {
            lose_answer: When::Share(0.5),
            ..Faults::default()
        });
        let url = always(200).await;
        let mut counts = Vec::new();
        for _ in 0..20 {
            counts.push(
                delivered(&mock, &url, &[("upstash-retries", "1")])
                    .await
                    .len(),
            );
        }
        assert!(counts.contains(&1) && counts.contains(&2), "{counts:?}");
        runs.push(counts);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_body_is_changed_after_it_was_signed() {
    let mock = fast().start().unwrap();
    mock.set_faults(Faults {
        change_body: When::Next(1),
        ..Faults::default()
    });
    let url = always(200).await;
    assert_eq!(&delivered(&mock, &url, &[]).await[0].body[..], b"helln");
    assert_eq!(&delivered(&mock, &url, &[]).await[0].body[..], b"hello");
}

#[tokio::test]
async fn deliveries_are_late_and_overtake_each_other() {
    let mock = fast().start().unwrap();
    mock.set_faults(Faults {
        delay: Duration::from_millis(30),
        reorder: Duration::from_millis(30),
        ..Faults::default()
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = destination({
        let seen = Arc::clone(&seen);
        move |request: Seen| seen.lock().unwrap().push(request.path)
    });
    let url = url.await;
    let mut published: Vec<_> = (0..20).map(|number| format!("/{number}")).collect();
    let batch: Vec<_> = published
        .iter()
        .map(|path| json!({ "destination": format!("{url}{path}") }))
        .collect();
    ask(&mock, "POST", "/v2/batch", &[], &json!(batch).to_string()).await;
    mock.idle(SOON).await.unwrap();
    assert_ne!(*seen.lock().unwrap(), published);
    seen.lock().unwrap().sort();
    published.sort();
    assert_eq!(*seen.lock().unwrap(), published);
}

#[tokio::test]
async fn with_all_faults_at_once_every_message_arrives_and_every_place_is_free_again() {
    let mock = Mock::settings()
        .backoff(Duration::from_millis(1))
        .start()
        .unwrap();
    mock.set_faults(Faults {
        deliver_twice: When::Share(0.2),
        deliver_at_once: When::Share(0.2),
        lose_answer: When::Share(0.4),
        change_body: When::Share(0.1),
        delay: Duration::from_millis(1),
        reorder: Duration::from_millis(5),
        refuse: Some(Refusal::new(When::Share(0.3), 500).but_accept()),
    });
    let url = always(200).await;
    let options = json!({
        "upstash-retries": "50",
        "upstash-callback": url,
        "upstash-flow-control-key": "k",
        "upstash-flow-control-value": "parallelism=7",
    });
    for queue in [json!(null), json!("q1"), json!("q2")] {
        let item = json!({ "destination": url, "queue": queue, "headers": options, "body": "x" });
        let batch = json!(vec![item; 50]).to_string();
        ask(&mock, "POST", "/v2/batch", &[], &batch).await;
    }
    mock.idle(SOON * 3).await.unwrap();
    let counts = mock.counts();
    assert_eq!((counts.delivered, counts.failed), (counts.messages, 0));
    assert!(counts.deliveries > 400, "{counts:?}");
    let flow = get(&mock, "/v2/flowControl/k").await.body;
    assert_eq!(
        (&flow["parallelismCount"], &flow["waitListSize"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        get(&mock, "/v2/globalParallelism").await.body["parallelismCount"],
        0
    );
}

#[tokio::test]
async fn publishers_are_refused_as_the_fault_says() {
    let mock = fast().start().unwrap();
    let refusal = Refusal::rate_limited(When::Attempts(vec![1]), 1_700_000_000);
    mock.set_faults(Faults {
        refuse: Some(refusal),
        ..Faults::default()
    });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let said = ask(
            &mock,
            "POST",
            "/v2/publish/http://a.example",
            &[("upstash-delay", "1d")],
            "",
        )
        .await;
        if said.status == 429 {
            assert_eq!(said.headers["burst-ratelimit-reset"], "1700000000");
        }
        statuses.push(said.status);
    }
    assert_eq!(statuses, [200, 429, 200]);
    assert_eq!(mock.counts().messages, 2);
    let seen: Vec<_> = mock
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(seen, statuses);
}

#[tokio::test]
async fn a_publisher_may_be_refused_though_its_message_is_taken() {
    let mock = fast().start().unwrap();
    let refusal = Refusal::new(When::Next(1), 500).but_accept();
    mock.set_faults(Faults {
        refuse: Some(refusal),
        ..Faults::default()
    });
    let path = "/v2/publish/http://a.example";
    let headers = [("upstash-delay", "1d"), ("upstash-deduplication-id", "d")];
    assert_eq!(ask(&mock, "POST", path, &headers, "").await.status, 500);
    assert_eq!(ask(&mock, "POST", path, &headers, "").await.status, 202);
    assert_eq!(mock.counts().messages, 1);
}

#[tokio::test]
async fn a_stopped_mock_takes_messages_and_delivers_none() {
    let mock = fast().start().unwrap();
    mock.stop_delivering();
    let url = always(200).await;
    publish(&mock, &url, &[]).await;
    assert!(mock.idle(Duration::from_millis(50)).await.is_err());
    assert_eq!(mock.deliveries().len(), 0);
    mock.continue_delivering();
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries().len(), 1);
}

#[tokio::test]
async fn the_mock_ends_with_its_handle() {
    let mock = fast().start().unwrap();
    let url = mock.url().to_owned();
    drop(mock);
    let gone = async {
        while reqwest::get(&url).await.is_ok() {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}
