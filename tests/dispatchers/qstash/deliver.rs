//! From a publisher through the service to a worker with a loop.

use std::time::Duration;

use belts::{
    Worker,
    dispatch::{Dispatcher, Message},
    step,
    store::Sqlite,
};
use belts_qstash_mock::{Faults, Refusal, When};
use tokio::{sync::Notify, time::Instant};

use super::mail::*;

#[tokio::test]
async fn an_event_goes_through_the_service_and_its_function_runs() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    let order = mail_ordered("through the service");
    let published = publish_mail_ordered(order).via(&served.worker).await;
    let published = published.unwrap();
    assert!(!published.duplicate);
    let runs = completed(&served.worker, 1).await;
    assert_eq!(*runs[0].event_id, *published.event_id);
    assert_eq!(effects("through the service"), 1);
    mock.idle(SOON).await.unwrap();
    let delivery = &mock.deliveries()[0];
    assert_eq!(delivery.status(), 202);
    assert_eq!(delivery.header("content-type"), "application/json");
}

/// The status is what the service takes for the verdict, and a stream says 200 before there is one: a run that failed, or an event
/// that was never taken, would have been acknowledged.
#[tokio::test]
async fn the_service_is_never_answered_with_a_stream() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = format!("{}/?mode=stream", place.url);
    let served = place.worker(to(&mock, &url).build().unwrap()).await;
    let order = publish_mail_ordered(mail_ordered("streamed")).via(&served.worker);
    order.await.unwrap();
    completed(&served.worker, 1).await;
    mock.idle(SOON).await.unwrap();
    let delivery = &mock.deliveries()[0];
    assert_eq!(delivery.status(), 202);
    assert_eq!(delivery.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_message_that_is_known_is_told_and_starts_nothing() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    for again in [false, true] {
        let order = publish_mail_ordered(mail_ordered("known")).idempotency_key("order 17");
        let published = order.via(&served.worker).await.unwrap();
        assert_eq!(published.duplicate, again);
    }
    completed(&served.worker, 1).await;
    assert_eq!((mock.messages().len(), mock.counts().duplicates), (1, 1));
}

#[tokio::test]
async fn without_deduplication_a_second_message_starts_nothing_either() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).deduplicate(false).build().unwrap();
    let served = place.worker(qstash).await;
    for _ in 0..2 {
        let order = publish_mail_ordered(mail_ordered("twice")).idempotency_key("order 18");
        assert!(!order.via(&served.worker).await.unwrap().duplicate);
    }
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().delivered, 2);
    completed(&served.worker, 1).await;
    assert_eq!(effects("twice"), 1);
}

#[tokio::test]
async fn a_publish_whose_answer_was_lost_is_made_again_and_counts_once() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    mock.set_faults(Faults {
        refuse: Some(Refusal::new(When::Next(2), 503).but_accept()),
        ..Faults::default()
    });
    let order = publish_mail_ordered(mail_ordered("lost answer"));
    let published = order.via(&served.worker).await.unwrap();
    assert!(published.duplicate, "the service had it already");
    completed(&served.worker, 1).await;
    assert_eq!((mock.messages().len(), mock.requests().len()), (1, 3));
}

#[tokio::test]
async fn deliveries_that_come_twice_or_without_an_answer_start_one_run() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    mock.set_faults(Faults {
        deliver_twice: When::Attempts(vec![0]),
        deliver_at_once: When::Attempts(vec![1]),
        lose_answer: When::Attempts(vec![0, 1]),
        ..Faults::default()
    });
    let order = publish_mail_ordered(mail_ordered("often"));
    order.via(&served.worker).await.unwrap();
    mock.idle(SOON).await.unwrap();
    assert!(mock.counts().deliveries >= 5, "{:?}", mock.counts());
    completed(&served.worker, 1).await;
    assert_eq!(effects("often"), 1);
}

#[tokio::test]
async fn a_foreign_message_is_known_by_the_services_id() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let qstash = to(&mock, &url).build().unwrap();
    let served = place.worker(qstash).await;
    mock.set_faults(Faults {
        deliver_at_once: When::Always,
        lose_answer: When::Attempts(vec![0]),
        ..Faults::default()
    });
    let json = [("content-type", "application/json")];
    let path = format!("/v2/publish/{url}");
    for _ in 0..2 {
        let said = ask(&mock, "POST", &path, &json, &foreign("from elsewhere")).await;
        assert_eq!(said.status, 200);
    }
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().deliveries, 8);
    // Two messages are two events, each of which came four times.
    completed(&served.worker, 2).await;
    assert_eq!(effects("from elsewhere"), 2);
}

#[tokio::test]
async fn a_delay_is_rounded_up_and_what_is_too_long_is_left_to_the_store() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).max_delay(Duration::from_secs(60));
    let qstash = qstash.delay(Duration::from_secs(7)).build().unwrap();
    let served = place.worker(qstash).await;
    let delays = [
        (Duration::from_millis(58_001), Some("59s")),
        (Duration::from_secs(3600), Some("7s")),
        (Duration::ZERO, Some("7s")),
    ];
    for (number, (delay, _)) in delays.iter().enumerate() {
        let order = publish_mail_ordered(mail_ordered(&format!("delay {number}")));
        order.delay(*delay).via(&served.worker).await.unwrap();
    }
    for (request, (_, expected)) in mock.requests().iter().zip(delays) {
        let sent = request.headers.get("upstash-delay");
        assert_eq!(sent.map(|sent| sent.to_str().unwrap()), expected);
    }
    mock.idle(SOON).await.unwrap();
    // Only the event that was to come at once has run: the store keeps the time of the others.
    let wait = async {
        while effects("delay 2") == 0 {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap();
    assert_eq!((effects("delay 0"), effects("delay 1")), (0, 0));
    let waiting = runs(&served.worker).await;
    assert_eq!(waiting.len(), 3);
}

#[tokio::test]
async fn a_moment_is_waited_for_here_and_not_made_a_second() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).build().unwrap();
    let message = Message::new("soon", *b"{}").with_delay(Duration::from_millis(20));
    let before = Instant::now();
    qstash.send(vec![message]).await.unwrap().remove(0).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(20));
    assert!(!mock.requests()[0].headers.contains_key("upstash-delay"));
}

#[tokio::test]
async fn a_message_does_not_come_before_its_delay_is_over() {
    let mock = belts_qstash_mock::Mock::start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let qstash = to(&mock, &url).build().unwrap();
    let message = Message::new("later", *b"{}").with_delay(Duration::from_millis(300));
    qstash.send(vec![message]).await.unwrap().remove(0).unwrap();
    mock.idle(SOON).await.unwrap();
    assert!(mock.deliveries()[0].sent_at >= Duration::from_secs(1));
}

/// Where the step of `interrupted` is held.
static REACHED: Notify = Notify::const_new();
static OPENED: Notify = Notify::const_new();

#[belts::function(id = "interrupted", on = MailOrdered)]
async fn interrupted(order: MailOrdered) -> belts::Result<()> {
    step!("before", effect(&format!("{} before", order.name))).await?;
    step!("held", async {
        if effect(&order.name) == 1 {
            REACHED.notify_one();
            OPENED.notified().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_worker_that_starts_again_goes_on_with_what_it_had_taken() {
    let mock = fast().start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let place = Place::new().await;
    let url = place.url.clone();
    let builder = async || {
        Worker::builder()
            .store(Sqlite::open(path.to_str().unwrap()).await.unwrap())
            .function(interrupted)
            .name("mailer")
            .dispatcher(to(&mock, &url).build().unwrap())
    };
    let first = place.serve(builder().await).await;
    let order = publish_mail_ordered(mail_ordered("interrupted"));
    order.via(&first.worker).await.unwrap();
    REACHED.notified().await;
    mock.idle(SOON).await.unwrap();
    drop(first);
    // The message is delivered and done with; the run is in the store.
    let second = Place::new().await.serve(builder().await).await;
    completed(&second.worker, 1).await;
    assert_eq!(effects("interrupted before"), 1);
    assert_eq!((effects("interrupted"), mock.counts().deliveries), (2, 1));
}

#[tokio::test]
async fn what_is_delivered_while_no_worker_is_there_comes_again() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let publisher = Worker::builder()
        .publish_only()
        .dispatcher(
            to(&mock, &place.url)
                .retries(50)
                .retry_delay("20000")
                .build()
                .unwrap(),
        )
        .build()
        .await
        .unwrap();
    let Place { url, .. } = &place;
    let address = url.trim_start_matches("http://").to_owned();
    let url = url.clone();
    drop(place);
    let order = publish_mail_ordered(mail_ordered("nobody there"));
    order.via(&publisher).await.unwrap();
    let failed = mock.until(SOON, |mock| (mock.counts().deliveries > 0).then_some(()));
    failed.await.unwrap();
    let place = Place::at(&address).await;
    let served = place.worker(to(&mock, &url).build().unwrap()).await;
    completed(&served.worker, 1).await;
    assert_eq!(effects("nobody there"), 1);
}

#[tokio::test]
async fn a_worker_without_a_store_publishes() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(200, [])).await;
    let publisher = Worker::builder()
        .publish_only()
        .dispatcher(to(&mock, &url).build().unwrap());
    let publisher = publisher.build().await.unwrap();
    let order = publish_mail_ordered(mail_ordered("no store"));
    order.via(&publisher).await.unwrap();
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().delivered, 1);
}
