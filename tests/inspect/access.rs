//! Who may inspect, and who is told that nothing is there.

use std::future::IntoFuture as _;

use axum::http::Request;
use belts::Worker;

use crate::shop::*;

const TOKEN: &str = "correct-horse-battery-staple";

const PATHS: [(&str, &str); 6] = [
    ("GET", "/runs"),
    ("GET", "/runs/failed"),
    ("GET", "/runs/purge"),
    ("POST", "/runs/failed/cancel"),
    ("POST", "/runs/failed/rerun"),
    ("POST", "/runs/purge?before=30d"),
];

/// Runs were open to whoever came from a loopback address, and behind a proxy on the same machine that is everybody: one
/// that passes `Host: 127.0.0.1` on and leaves no header of its own, as nginx does, or a forwarder of connections.
#[tokio::test]
async fn where_a_request_comes_from_is_never_a_right() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let plain = || Worker::builder().store(belts::store::Memory::new());
    for builder in [plain(), plain().signing_keys([key]), plain().insecure(true)] {
        let worker = with_failed_run(builder, "loopback").await;
        for (method, path) in PATHS {
            let request = asked(method, path).header("host", "127.0.0.1:8787");
            let (status, body) = locally(&worker, request).await;
            assert_eq!(
                (status, body["code"].as_str()),
                (404, Some("not-found")),
                "{method} {path}"
            );
        }
        let (_, described) = locally(&worker, get("/")).await;
        assert_eq!(described, serde_json::json!({"belts": true}));
    }
}

#[tokio::test]
async fn a_development_machine_that_others_reach_is_refused() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let calling = belts::dispatch::Http::builder("http://127.0.0.1:9/");
    let wrong = [
        builder().signing_keys([key]),
        builder().url("https://app.example/belts"),
        builder().dispatcher(calling.build().unwrap()),
    ];
    for builder in wrong {
        let error = builder.build().await.unwrap_err();
        assert_eq!(error.kind(), belts::ErrorKind::Config);
        let text = error.to_string();
        assert!(
            text.contains("BELTS_INSPECTION=local") && text.contains("BELTS_INSPECTION_TOKEN"),
            "{text}"
        );
    }
    let worker = builder().insecure(true).build().await.unwrap();
    let error = worker.serve("0.0.0.0:0").await.unwrap_err();
    assert!(
        error.to_string().contains("BELTS_INSPECTION_TOKEN"),
        "{error}"
    );
}

async fn open(shop: &str) -> Worker {
    with_failed_run(builder(), shop).await
}

async fn closed(shop: &str) -> Worker {
    with_failed_run(builder().inspection_token(TOKEN), shop).await
}

fn asked(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
}

#[tokio::test]
async fn without_a_token_a_development_machine_shows_nothing_to_others() {
    let worker = open("others").await;
    let others = [
        ("10.0.0.7:5000", None),
        ("127.0.0.1:5000", Some(("x-forwarded-for", "10.0.0.7"))),
        ("127.0.0.1:5000", Some(("forwarded", "for=10.0.0.7"))),
        ("127.0.0.1:5000", Some(("via", "1.1 proxy"))),
        ("127.0.0.1:5000", Some(("x-real-ip", "10.0.0.7"))),
        ("127.0.0.1:5000", Some(("host", "evil.example:8787"))),
    ];
    for (peer, header) in others {
        for (method, path) in PATHS {
            let mut request = asked(method, path);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let (status, body) = send(&worker, request, peer).await;
            let code = body["code"].as_str().unwrap();
            assert!(
                (status, code) == (404, "not-found") || (status, code) == (403, "forbidden"),
                "{peer} {header:?} {method} {path}: {body}"
            );
        }
    }
    assert_eq!(
        locally(&worker, get("/runs/failed")).await.1["status"],
        "failed"
    );
}

#[tokio::test]
async fn a_wrong_method_tells_strangers_nothing() {
    let worker = open("methods").await;
    for path in [
        "/runs",
        "/runs/failed",
        "/runs/failed/cancel",
        "/runs/purge",
    ] {
        let (status, _) = send(&worker, asked("DELETE", path), "10.0.0.7:5000").await;
        assert_eq!(status, 404, "{path}");
        let (status, body) = locally(&worker, asked("DELETE", path)).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (405, Some("method-not-allowed"))
        );
    }
}

#[tokio::test]
async fn a_caller_whose_address_is_not_known_is_a_stranger() {
    use tower::ServiceExt as _;
    let worker = open("unknown").await;
    let request = get("/runs").body(axum::body::Body::empty()).unwrap();
    let answer = worker.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_form_on_this_machine_changes_nothing() {
    let worker = open("form").await;
    let types = [
        None,
        Some("application/x-www-form-urlencoded"),
        Some("text/plain"),
        Some("multipart/form-data"),
    ];
    for path in [
        "/runs/failed/rerun",
        "/runs/failed/cancel",
        "/runs/purge?before=0s",
    ] {
        for media_type in types {
            let mut request = Request::post(path);
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            let (status, body) = locally(&worker, request).await;
            assert_eq!(
                (status, body["code"].as_str()),
                (415, Some("not-json")),
                "{path}"
            );
        }
    }
    assert_eq!(
        locally(&worker, get("/runs/failed")).await.1["status"],
        "failed"
    );
}

#[tokio::test]
async fn with_a_token_everybody_needs_it() {
    let worker = closed("token").await;
    let wrong = [
        None,
        Some("Bearer wrong-horse-battery-staple".to_owned()),
        Some(format!("Bearer {}", &TOKEN[..TOKEN.len() - 1])),
        Some(format!("Bearer {TOKEN}x")),
        Some("Bearer ".to_owned()),
        Some("Bearer".to_owned()),
        Some(TOKEN.to_owned()),
        Some(format!("Basic {TOKEN}")),
    ];
    for given in wrong {
        for (method, path) in PATHS {
            let mut request = asked(method, path);
            if let Some(given) = &given {
                request = request.header("authorization", given);
            }
            // This machine too: a proxy that leaves no header behind would be it.
            let (status, body) = locally(&worker, request).await;
            assert_eq!(
                (status, body["code"].as_str()),
                (401, Some("unauthorized")),
                "{given:?}"
            );
            assert!(!body.to_string().contains("horse"), "{body}");
        }
    }
}

#[tokio::test]
async fn the_token_opens_everything_from_anywhere() {
    let worker = closed("bearer").await;
    let bearer = format!("bearer {TOKEN}");
    let with = |request: axum::http::request::Builder| request.header("authorization", &bearer);
    let peer = "10.0.0.7:5000";
    let (status, body) = send(&worker, with(get("/runs")), peer).await;
    assert_eq!((status, body["runs"].as_array().unwrap().len()), (200, 1));
    // No form can send the token, so the type says nothing more.
    let (status, body) = send(&worker, with(Request::post("/runs/failed/rerun")), peer).await;
    assert_eq!((status, &body["changed"]), (200, &true.into()), "{body}");
    let (_, described) = send(&worker, with(get("/")), peer).await;
    assert_eq!(described["functions"][0]["id"], "process-order");
}

#[tokio::test]
async fn the_token_gives_no_right_to_deliver() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let builder = Worker::builder()
        .store(belts::store::Memory::new())
        .inspection_token(TOKEN)
        .signing_keys([key]);
    let worker = builder.build().await.unwrap();
    let request = post("/").header("authorization", format!("Bearer {TOKEN}"));
    let (status, body) = send(&worker, request, "127.0.0.1:5000").await;
    assert_eq!((status, body["code"].as_str()), (401, Some("signature")));
}

#[tokio::test]
async fn tokens_never_show() {
    let builder = builder().inspection_token(TOKEN);
    assert!(!format!("{builder:?}").contains("horse"));
    let error = self::builder()
        .inspection_token("hunter2")
        .build()
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let error = self::builder()
        .inspection_token("correct horse battery")
        .build()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the inspection token must consist of visible ASCII characters, without spaces"
    );
}

/// Under `axum::serve` there is no peer, and so inspection looked broken in an application even from this machine.
#[tokio::test]
async fn under_a_server_of_ones_own_the_token_needs_no_address_and_a_development_machine_does() {
    use std::net::SocketAddr;

    let listener = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = |worker: &Worker| axum::Router::new().nest_service("/belts", worker.router());
    let asks = async |address: SocketAddr, token: Option<&str>| {
        let request = reqwest::Client::new().get(format!("http://{address}/belts/runs"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    };

    let (worker, bare) = (closed("bare-token").await, listener().await);
    let address = bare.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(bare, app(&worker)).into_future());
    assert_eq!(asks(address, Some(TOKEN)).await, 200);
    assert_eq!(asks(address, None).await, 401);
    server.abort();

    let (worker, bare) = (open("bare").await, listener().await);
    let address = bare.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(bare, app(&worker)).into_future());
    assert_eq!(asks(address, None).await, 404);
    server.abort();

    let told = listener().await;
    let address = told.local_addr().unwrap();
    let told = axum::serve(
        told,
        app(&worker).into_make_service_with_connect_info::<SocketAddr>(),
    );
    let server = tokio::spawn(told.into_future());
    assert_eq!(asks(address, None).await, 200);
    server.abort();

    let ours = listener().await;
    let address = ours.local_addr().unwrap();
    tokio::select! {
        ended = worker.serve_with(app(&worker), ours) => panic!("it serves on: {ended:?}"),
        status = asks(address, None) => assert_eq!(status, 200),
    }
}

#[tokio::test]
async fn a_development_machine_serves_an_application_to_itself_alone() {
    let worker = builder().build().await.unwrap();
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = worker
        .serve_with(worker.router(), listener)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), belts::ErrorKind::Config);
    assert!(
        error.to_string().contains("BELTS_INSPECTION_TOKEN"),
        "{error}"
    );
}
