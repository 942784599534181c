//! Which deliveries a worker believes.

use std::time::{Duration, SystemTime};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode},
};
use belts::{Worker, dispatch::Qstash, store::Memory, testing::ManualClock};
use belts_qstash_mock::{Claims, Delivery, Faults, Forge, Forged, Keys, Verdict, When, sign};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::mail::*;

const NOW: u64 = 1_700_000_100;
const URL: &str = "https://app.example.com/belts";

/// A worker at `URL` at the time `NOW`, of which only the router is served.
async fn router(qstash: belts::dispatch::QstashBuilder) -> (Worker, Router) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let worker = Worker::builder()
        .store(Memory::new())
        .function(mail)
        .clock(ManualClock::new(now))
        .dispatcher(qstash.build().unwrap())
        .build()
        .await
        .unwrap();
    let router = worker.router();
    (worker, router)
}

fn receiver() -> belts::dispatch::QstashBuilder {
    let keys = Keys::default();
    Qstash::builder("token", URL)
        .signing_keys(keys.current, keys.next)
        .clock_tolerance(Duration::ZERO)
}

/// The status, and what the answer says.
async fn deliver(
    router: &Router,
    token: &str,
    body: &[u8],
    more: &[(&str, &str)],
) -> (u16, String) {
    let mut request = Request::post("/")
        .header("content-type", "application/json")
        .header("upstash-signature", token);
    if more.iter().all(|(name, _)| *name != "upstash-message-id") {
        request = request.header("upstash-message-id", "msg_1");
    }
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let said: Value = serde_json::from_slice(&body).unwrap();
    let message = said["message"].as_str().unwrap_or_default().to_owned();
    assert!(token.len() < 10 || !message.contains(token), "{message}");
    (status, message)
}

fn signed(body: &[u8]) -> String {
    let claims = Claims::new(URL, body, NOW, "jwt_1");
    sign(&Keys::default().current, &claims)
}

#[tokio::test]
async fn each_token_is_judged_as_a_strict_receiver_does() {
    let body = foreign("judged");
    let forge = Forge::new(&Keys::default(), URL, body.as_bytes(), NOW);
    let all: Vec<Forged> = forge.all();
    assert_eq!(all.len(), 29);
    for forged in all {
        let tolerance = Duration::from_secs(forged.tolerance);
        let (_worker, router) = router(receiver().clock_tolerance(tolerance)).await;
        // This receiver always knows its URL, so a token for another is refused where others cannot tell.
        let accepted = forged.strict == Verdict::Accept && forged.url.is_some();
        for _ in 0..forged.times {
            let (status, said) = deliver(&router, &forged.token, &forged.body, &[]).await;
            let expected = if accepted { 200 } else { 401 };
            assert_eq!(status, expected, "{}: {said}", forged.name);
        }
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_and_under_which_key() {
    let (_worker, router) = router(receiver()).await;
    let body = foreign("refused");
    let forge = Forge::new(&Keys::default(), URL, body.as_bytes(), NOW);
    let cases = [
        ("wrong key", "neither the current nor the next signing key"),
        (
            "expired, no tolerance",
            "signed with the current signing key, but it expired 1 s ago",
        ),
        ("not yet, no tolerance", "it is not valid yet"),
        ("body differs by a space", "it is for another body"),
        (
            "subject with a slash behind",
            "`https://app.example.com/belts/`, but this worker is `https://app.example.com/belts`",
        ),
        ("alg is none", "not signed with HS256"),
        ("issuer in lower case", "issuer is not `Upstash`"),
        ("no exp", "its claims are incomplete"),
    ];
    for (name, part) in cases {
        let forged = forge.named(name);
        let (status, said) = deliver(&router, &forged.token, &forged.body, &[]).await;
        assert_eq!(status, 401);
        assert!(said.contains(part), "{name}: {said}");
    }
    let late = Claims::new(URL, body.as_bytes(), NOW - 3600, "jwt_1");
    let late = sign(&Keys::default().next, &late);
    let (_, said) = deliver(&router, &late, body.as_bytes(), &[]).await;
    assert!(
        said.contains("with the next signing key, but it expired 3300 s ago"),
        "{said}"
    );
}

#[tokio::test]
async fn a_replayed_delivery_is_answered_and_starts_nothing() {
    let (worker, router) = router(receiver()).await;
    let body = foreign("replayed");
    let token = signed(body.as_bytes());
    for _ in 0..3 {
        let (status, said) = deliver(&router, &token, body.as_bytes(), &[]).await;
        assert_eq!(status, 200, "{said}");
    }
    completed(&worker, 1).await;
    assert_eq!(effects("replayed"), 1);
}

#[tokio::test]
async fn a_replayed_delivery_under_another_id_starts_nothing_either() {
    // The message's id is not signed, and an event without an id of its own is known by it: each replay began a run.
    let (worker, router) = router(receiver()).await;
    let body = foreign("replayed as another");
    let token = signed(body.as_bytes());
    for id in ["msg_1", "msg_2", "msg_3", "msg_1"] {
        let id = [("upstash-message-id", id)];
        let (status, said) = deliver(&router, &token, body.as_bytes(), &id).await;
        // The service may send a token again whose answer was lost, so it hears of success each time.
        assert_eq!(status, 200, "{said}");
    }
    completed(&worker, 1).await;
    assert_eq!(effects("replayed as another"), 1);
    // An equal message with a token of its own is another one.
    let claims = Claims::new(URL, body.as_bytes(), NOW, "jwt_2");
    let token = sign(&Keys::default().current, &claims);
    let id = [("upstash-message-id", "msg_2")];
    assert_eq!(deliver(&router, &token, body.as_bytes(), &id).await.0, 200);
    completed(&worker, 2).await;
}

#[tokio::test]
async fn every_byte_of_the_body_counts() {
    let (worker, router) = router(receiver()).await;
    let body = foreign("changed").into_bytes();
    let token = signed(&body);
    for place in 0..body.len() {
        let mut changed = body.clone();
        changed[place] ^= 1;
        let (status, _) = deliver(&router, &token, &changed, &[]).await;
        assert_eq!(status, 401, "{place}");
    }
    assert!(runs(&worker).await.is_empty());
}

#[tokio::test]
async fn what_carries_no_signature_is_refused() {
    let (_worker, router) = router(receiver()).await;
    let request = Request::post("/").header("content-type", "application/json");
    let request = request.body(Body::from(foreign("unsigned"))).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body = foreign("unsigned");
    for token in ["", "a", "a.b.c", "..", "ä.ä.ä"] {
        let (status, _) = deliver(&router, token, body.as_bytes(), &[]).await;
        assert_eq!(status, 401, "{token}");
    }
    let (status, _) = deliver(
        &router,
        &signed(body.as_bytes()),
        body.as_bytes(),
        &[("upstash-signature", "b")],
    )
    .await;
    assert_eq!(status, 401, "two signatures");
}

#[tokio::test]
async fn without_keys_a_delivery_is_refused_with_the_variables_to_set() {
    let (_worker, router) = router(Qstash::builder("token", URL)).await;
    let body = foreign("no keys");
    let (status, said) = deliver(&router, &signed(body.as_bytes()), body.as_bytes(), &[]).await;
    assert_eq!(status, 401);
    assert!(said.contains("QSTASH_CURRENT_SIGNING_KEY"), "{said}");
}

#[tokio::test]
async fn a_region_has_keys_of_its_own() {
    let qstash = receiver().region_signing_keys("US_EAST_1", "sig_us_current", "sig_us_next");
    let (_worker, router) = router(qstash).await;
    let body = foreign("regions");
    let of = |key: &str| sign(key, &Claims::new(URL, body.as_bytes(), NOW, "jwt_1"));
    let (us, eu) = (of("sig_us_next"), of(&Keys::default().current));
    let cases = [
        (&us, &[("upstash-region", "US-EAST-1")][..], 200),
        (&eu, &[("upstash-region", "US-EAST-1")], 401),
        (&eu, &[("upstash-region", "EU-CENTRAL-1")], 200),
        (&eu, &[], 200),
        (&us, &[], 401),
    ];
    for (token, headers, expected) in cases {
        let (status, said) = deliver(&router, token, body.as_bytes(), headers).await;
        assert_eq!(status, expected, "{headers:?}: {said}");
    }
}

#[tokio::test]
async fn a_body_that_changes_on_its_way_is_refused_and_comes_again() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).build().unwrap();
    let served = place.worker(qstash).await;
    mock.set_faults(Faults {
        change_body: When::Attempts(vec![0, 1]),
        ..Faults::default()
    });
    let order = publish_mail_ordered(mail_ordered("one bit"));
    order.via(&served.worker).await.unwrap();
    mock.idle(SOON).await.unwrap();
    let statuses: Vec<_> = mock.deliveries().iter().map(Delivery::status).collect();
    assert_eq!(statuses, [401, 401, 202]);
    completed(&served.worker, 1).await;
}

#[tokio::test]
async fn one_rotation_of_the_keys_is_survived_and_two_are_not() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).retries(0).build().unwrap();
    let served = place.worker(qstash).await;
    for (name, status) in [("before", 202), ("once", 202), ("twice", 401)] {
        if name != "before" {
            mock.rotate_keys();
        }
        let order = publish_mail_ordered(mail_ordered(name));
        order.via(&served.worker).await.unwrap();
        mock.idle(SOON).await.unwrap();
        assert_eq!(mock.deliveries().last().unwrap().status(), status, "{name}");
    }
}

/// A proxy that takes `/public` off the path, as an ingress does.
async fn proxy(real: String) -> String {
    let client = reqwest::Client::new();
    let forward = move |request: axum::extract::Request| {
        let (client, real) = (client.clone(), real.clone());
        async move {
            let (parts, body) = request.into_parts();
            let path = parts
                .uri
                .path()
                .strip_prefix("/public")
                .unwrap_or("/nowhere");
            let body = body.collect().await.unwrap().to_bytes();
            let request = client.post(format!("{real}{path}")).headers(parts.headers);
            let answer = request.body(body).send().await.unwrap();
            let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
            (status, answer.bytes().await.unwrap())
        }
    };
    let place = Place::new().await;
    let url = place.url.clone();
    place.serve_only(Router::new().fallback(forward));
    url
}

#[tokio::test]
async fn behind_a_proxy_the_public_url_counts() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let inner = place.url.clone();
    let public = proxy(inner.clone()).await + "/public/belts";
    let worker = Worker::builder()
        .store(Memory::new())
        .function(mail)
        .dispatcher(to(&mock, &public).build().unwrap());
    let worker = worker.build().await.unwrap();
    place.serve_only(Router::new().nest("/belts", worker.router()));
    let order = publish_mail_ordered(mail_ordered("behind a proxy"));
    order.via(&worker).await.unwrap();
    completed(&worker, 1).await;
    // The worker's own address is not what was signed for, however it is reached.
    let path = format!("/v2/publish/{inner}/belts");
    let headers = [
        ("content-type", "application/json"),
        ("upstash-retries", "0"),
    ];
    ask(&mock, "POST", &path, &headers, &foreign("around the proxy")).await;
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries().last().unwrap().status(), 401);
    assert_eq!(
        (effects("behind a proxy"), effects("around the proxy")),
        (1, 0)
    );
}

#[tokio::test]
async fn a_worker_is_known_by_its_own_url_too() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let own = place.url.clone();
    let builder = Worker::builder()
        .store(Memory::new())
        .function(mail)
        .url(own.as_str())
        .dispatcher(to(&mock, "https://others.example/belts").build().unwrap());
    let served = place.serve(builder).await;
    let json = [("content-type", "application/json")];
    ask(
        &mock,
        "POST",
        &format!("/v2/publish/{own}"),
        &json,
        &foreign("own url"),
    )
    .await;
    mock.idle(SOON).await.unwrap();
    completed(&served.worker, 1).await;
}
