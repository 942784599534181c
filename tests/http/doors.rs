//! Who gets in where no key is set, and what a key is good for.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use belts::{
    Clock as _, SystemClock, Worker,
    http::{HttpMode, SigningKey},
    store::Memory,
};
use serde_json::{Value, json};

use crate::router::*;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ORDER: &str = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;

fn plain() -> belts::WorkerBuilder {
    Worker::builder().store(Memory::new())
}

fn with(headers: &[(&str, &str)], mut request: Request<Body>) -> Request<Body> {
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

fn signed(id: &str, query: &str, body: &str) -> Request<Body> {
    let key: SigningKey = KEY.parse().unwrap();
    let headers = key.sign(id, SystemClock.now(), body.as_bytes());
    let request = json(&format!("/{query}"))
        .body(body.to_owned().into())
        .unwrap();
    let headers = headers.each_ref().map(|(name, value)| (*name, &**value));
    with(&headers, request)
}

/// The router took unsigned deliveries on whatever address its server listened: `serve` alone asked for a key.
#[tokio::test]
async fn a_router_without_a_key_refuses_deliveries_unless_somebody_means_it() {
    let answer = send(&plain().build().await.unwrap(), post(ORDER)).await;
    assert_eq!(answer.code(), (401, "signature".to_owned()));
    let message = answer.message();
    assert!(
        message.contains("BELTS_SIGNING_KEYS") && message.contains("BELTS_INSECURE=1"),
        "{message}"
    );
    let meant = plain().insecure(true).build().await.unwrap();
    assert_eq!(send(&meant, post(ORDER)).await.status, StatusCode::OK);
    let keyed = plain().signing_keys([KEY]).build().await.unwrap();
    assert_eq!(send(&keyed, signed("msg_1", "", ORDER)).await.status, 200);
}

#[tokio::test]
async fn a_router_that_refuses_deliveries_still_says_that_it_is_well() {
    let worker = plain().build().await.unwrap();
    assert_eq!(send(&worker, get("/health")).await.status, StatusCode::OK);
}

/// A page whose name points to this machine (DNS rebinding), or a page elsewhere, drove a worker without a key and read
/// outputs from its reader's browser.
#[tokio::test]
async fn without_a_key_no_web_page_is_answered_on_any_route() {
    let foreign: [&[(&str, &str)]; 8] = [
        &[("host", "evil.example:8787")],
        &[("host", "127.0.0.1:8787"), ("host", "evil.example")],
        &[("host", "localhost.evil.example")],
        &[("host", "not a host")],
        &[
            ("host", "localhost:8787"),
            ("origin", "https://evil.example"),
        ],
        &[("host", "localhost:8787"), ("origin", "null")],
        &[("host", "localhost:8787"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://evil.example")],
    ];
    let worker = builder().inspection_local().build().await.unwrap();
    for headers in foreign {
        for request in [
            post(ORDER),
            get("/"),
            get("/health"),
            get("/runs"),
            json("/runs/purge?before=1s").body(Body::empty()).unwrap(),
        ] {
            let path = request.uri().clone();
            let request = from("127.0.0.1:5000", with(headers, request));
            let answer = send(&worker, request).await;
            assert_eq!(
                answer.code(),
                (403, "forbidden".to_owned()),
                "{headers:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn without_a_key_this_machine_and_the_url_of_the_worker_are_answered() {
    let own: [&[(&str, &str)]; 7] = [
        &[],
        &[
            ("host", "localhost:8787"),
            ("origin", "http://localhost:8787"),
        ],
        &[("host", "[::1]:8787"), ("sec-fetch-site", "same-origin")],
        &[("host", "App.example")],
        &[
            ("host", "app.example:443"),
            ("origin", "https://app.example"),
        ],
        // Nobody's name points to a bare address.
        &[
            ("host", "10.0.0.7:8787"),
            ("origin", "http://10.0.0.7:8787"),
        ],
        &[("host", "127.0.0.1"), ("sec-fetch-site", "none")],
    ];
    let builder = builder().url("https://app.example/belts");
    let worker = builder.build().await.unwrap();
    for headers in own {
        let answer = send(&worker, with(headers, post(ORDER))).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?}");
    }
}

/// A load balancer asks by the bare address that it has, and took a worker without a key for one that is not well.
#[tokio::test]
async fn health_is_told_to_whoever_asks_by_an_address() {
    for builder in [plain(), plain().insecure(true), plain().signing_keys([KEY])] {
        let worker = builder.build().await.unwrap();
        for host in ["10.0.0.7:8787", "10.0.0.7", "[fd00::7]:8787", "[fd00::7]"] {
            let request = from("10.0.0.1:5000", with(&[("host", host)], get("/health")));
            assert_eq!(send(&worker, request).await.status, 200, "{host}");
        }
    }
}

#[tokio::test]
async fn with_a_key_the_host_says_nothing() {
    let worker = plain().signing_keys([KEY]).build().await.unwrap();
    let request = with(&[("host", "app.example")], signed("msg_1", "", ORDER));
    assert_eq!(send(&worker, request).await.status, StatusCode::OK);
}

/// With a signing key and the id of somebody's run, `?mode=sync` told its output; and as the mode is not signed, a captured
/// request told what its first sender had not asked for.
#[tokio::test]
async fn a_signing_key_reads_no_outcome_of_a_run_that_was_there() {
    let token = TOKEN;
    let builder = plain().signing_keys([KEY]).inspection_token(token);
    let worker = builder.build().await.unwrap();
    let body = ORDER.replace("}}", r#"},"context":{"executionId":"theirs"}}"#);
    let first = send(&worker, signed("msg_1", "?mode=sync", &body)).await;
    assert_eq!(first.json()["runs"][0]["output"], 42);
    let ids = json!([{"id": "theirs", "functionId": "process-order"}]);
    let named = r#"{"context":{"executionId":"theirs"}}"#;
    for (id, body) in [("msg_2", &*body), ("msg_3", named), ("msg_1", &*body)] {
        let answer = send(&worker, signed(id, "?mode=sync", body)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            (&answer.json()["runs"], &answer.json()["duplicate"]),
            (&ids, &true.into())
        );
        let lines = send(&worker, signed(id, "?mode=stream", body)).await.body;
        let lines = String::from_utf8(lines).unwrap();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["runs"], ids, "{lines}");
    }
    let allowed = with_token(signed("msg_4", "?mode=sync", named));
    assert_eq!(send(&worker, allowed).await.json()["runs"][0]["output"], 42);
}

/// A redelivery has the id of the first one, and must be acknowledged; it may also be a captured request, sent again.
#[tokio::test]
async fn a_message_sent_again_is_acknowledged_and_told_nothing() {
    let worker = worker().await;
    let body = ORDER.replace("}}", r#"},"context":{"eventId":"e-1"}}"#);
    let request = |query: &str| {
        let request = json(&format!("/{query}")).header("webhook-id", "msg_1");
        request.body(body.clone().into()).unwrap()
    };
    assert_eq!(
        send(&worker, request("")).await.json()["runs"][0]["output"],
        42
    );
    for query in ["", "?mode=sync", "?mode=accept"] {
        let again = send(&worker, request(query)).await;
        assert!(again.status.is_success(), "{query}");
        let run = &again.json()["runs"][0];
        assert!(run["id"].is_string() && run["output"].is_null(), "{run}");
    }
}

#[tokio::test]
async fn a_mode_that_is_not_among_those_of_the_builder_is_refused() {
    let builder = || builder().modes([HttpMode::Accept]);
    let (worker, _loop) = running(builder()).await;
    for mode in ["sync", "stream"] {
        let request = json(&format!("/?mode={mode}")).body(ORDER.into()).unwrap();
        assert_eq!(send(&worker, request).await.code().0, 403, "{mode}");
    }
    let idle = builder().build().await.unwrap();
    assert_eq!(send(&idle, post(ORDER)).await.status, StatusCode::ACCEPTED);
    for wrong in [builder().modes([]), builder().http_mode(HttpMode::Sync)] {
        let error = wrong.build().await.unwrap_err();
        assert!(error.to_string().contains("`modes`"), "{error}");
    }
}

/// A compressed body was answered as broken JSON.
#[tokio::test]
async fn a_compressed_body_is_named_as_what_is_wrong() {
    let worker = worker().await;
    for encoding in ["gzip", "br", "deflate", "identity, gzip"] {
        let request = with(&[("content-encoding", encoding)], post(ORDER));
        let answer = send(&worker, request).await;
        assert_eq!(answer.code(), (415, "compressed".to_owned()), "{encoding}");
        assert!(answer.message().contains("content-encoding"));
    }
    let request = with(&[("content-encoding", "identity")], post(ORDER));
    assert_eq!(send(&worker, request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_answer_is_taken_for_a_page() {
    let worker = builder().inspection_token(TOKEN).build().await.unwrap();
    for request in [
        post(ORDER),
        post("nonsense"),
        get("/"),
        get("/health"),
        get("/runs"),
        with_token(get("/runs/%FF")),
        with(&[("host", "evil.example")], get("/")),
        Request::delete("/").body(Body::empty()).unwrap(),
    ] {
        let path = request.uri().clone();
        let answer = send(&worker, request).await;
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
    }
}

/// Two publishers use one event id for different things: the second is told so, and that no retry can help.
#[tokio::test]
async fn an_event_id_that_another_event_has_is_a_conflict() {
    let worker = worker().await;
    let order = |cents: u64| {
        let context = r#"},"context":{"eventId":"e-1"}}"#;
        post(
            ORDER
                .replace("41", &cents.to_string())
                .replace("}}", context),
        )
    };
    assert_eq!(send(&worker, order(1)).await.status, StatusCode::OK);
    let answer = send(&worker, order(2)).await;
    assert_eq!(answer.code(), (409, "conflict".to_owned()));
    assert!(!answer.headers.contains_key("retry-after"));
}
