//! Who comes in.

use belts::http::Access;

use super::browser::{Browser, TOKEN, builder};
use crate::shop;

const PATHS: [&str; 12] = [
    "/ui",
    "/ui/",
    "/ui/functions",
    "/ui/runs",
    "/ui/runs/failed",
    "/ui/run?id=failed",
    "/ui/schedules",
    "/ui/publish",
    "/ui/cancel?run=failed",
    "/ui/rerun?run=failed",
    "/ui/pause?function=wait",
    "/ui/nothing",
];

#[tokio::test]
async fn without_a_token_nothing_is_there_whoever_asks_from_where() {
    let worker = belts::Worker::builder().store(belts::store::Memory::new());
    let browser = Browser::of(&worker.build().await.unwrap());
    for path in PATHS.into_iter().chain(["/ui/sign-in", "/ui/style.css"]) {
        let page = browser.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        page.hides("<form");
        let page = browser
            .post(path, &[("run", "failed"), ("token", "")])
            .await;
        assert_eq!(page.status, 404, "{path}");
    }
}

#[tokio::test]
async fn whoever_has_not_signed_in_is_asked_for_the_token_and_shown_nothing_else() {
    let worker = shop::with_failed_run(builder(), "strangers").await;
    let browser = Browser::of(&worker);
    for path in PATHS {
        let page = browser.get(path).await;
        assert_eq!(page.status, 401, "{path}");
        page.says("name=\"token\"");
        page.hides("charge-payment");
        page.hides("process-order");
        let page = browser.json(path).await;
        assert_eq!(
            (page.status, &page.json()["code"]),
            (401, &"unauthorized".into()),
            "{path}"
        );
        let page = browser.post(path, &[("run", "failed")]).await;
        assert_eq!(page.status, 401, "{path}");
    }
    let run = worker.runs().get("failed").await.unwrap();
    assert!(run.notes.is_empty());
}

#[tokio::test]
async fn the_token_signs_in_until_somebody_signs_out() {
    let worker = shop::with_failed_run(builder(), "signs-in").await;
    let browser = Browser::of(&worker);
    let asked = browser.get("/ui/runs?status=failed&since=24h").await;
    let to = "runs?status=failed&since=24h";
    assert!(
        asked.attributes("value").contains(&to.to_owned()),
        "{}",
        asked.body
    );
    let wrong = browser
        .post("/ui/sign-in", &[("token", "wrong-horse-battery-staple")])
        .await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    wrong.says("This is not the token");
    let right = browser
        .post("/ui/sign-in", &[("token", TOKEN), ("to", to)])
        .await;
    assert_eq!((right.status, right.header("location")), (303, to));
    let set = right.header("set-cookie");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    browser
        .get("/ui/runs?status=failed&since=24h")
        .await
        .good()
        .says("process-order");
    browser.post("/ui/sign-out", &[]).await;
    assert_eq!(browser.get("/ui/runs").await.status, 401);
}

#[tokio::test]
async fn the_cookie_is_only_for_tls_where_there_is_tls() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::of(&worker);
    let request = axum::http::Request::post("/ui/sign-in")
        .header("sec-fetch-site", "same-origin")
        .header("x-forwarded-proto", "https");
    let page = browser.post_as(request, &[("token", TOKEN)]).await;
    assert!(page.header("set-cookie").contains("; Secure"));
    let behind = builder()
        .url("https://belts.example/belts")
        .build()
        .await
        .unwrap();
    let page = Browser::of(&behind)
        .post("/ui/sign-in", &[("token", TOKEN)])
        .await;
    assert!(page.header("set-cookie").contains("; Secure"));
}

#[tokio::test]
async fn a_cookie_that_was_changed_or_is_of_another_token_signs_nobody_in() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui/runs").await.good();
    let cookie = browser.cookie();
    let (said, mac) = cookie.rsplit_once('.').unwrap();
    let (until, rest) = said.split_once('.').unwrap();
    let later = until.parse::<i64>().unwrap() + 1;
    for forged in [
        format!("{later}.{rest}.{mac}"),
        format!("{said}."),
        said.to_owned(),
        String::new(),
        "....".to_owned(),
    ] {
        browser.forge(&forged);
        assert_eq!(browser.get("/ui/runs").await.status, 401, "{forged}");
    }
    let other = belts::Worker::builder().store(belts::store::Memory::new());
    let other = other
        .inspection_token("another-horse-battery-staple")
        .build()
        .await
        .unwrap();
    let there = Browser::of(&other);
    there
        .post("/ui/sign-in", &[("token", "another-horse-battery-staple")])
        .await;
    there.get("/ui/runs").await.good();
    there.forge(&cookie);
    assert_eq!(there.get("/ui/runs").await.status, 401);
}

#[tokio::test]
async fn the_token_in_a_header_needs_no_cookie_and_a_wrong_one_gets_nothing() {
    let worker = shop::with_failed_run(builder(), "bearer").await;
    let browser = Browser::of(&worker);
    let ask = |token: &str| {
        let request = axum::http::Request::get("/ui/runs").header("accept", "application/json");
        request.header("authorization", format!("Bearer {token}"))
    };
    let page = browser.send(ask(TOKEN), "").await.good();
    assert_eq!(page.json()["runs"][0]["runId"], "failed");
    assert_eq!(
        browser
            .send(ask("wrong-horse-battery-staple"), "")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn the_application_decides_in_place_of_the_token() {
    let access = |request: &axum::http::request::Parts| match request.headers.get("x-role") {
        Some(role) if role == "operator" => Access::Operate,
        Some(role) if role == "reader" => Access::Read,
        Some(role) if role == "broken" => panic!("no such role"),
        _ => Access::Denied,
    };
    let worker = shop::with_failed_run(builder().access(access), "access").await;
    let browser = Browser::of(&worker);
    let ask = async |role: &str, path: &str| {
        let request = axum::http::Request::get(path).header("accept", "text/html");
        browser.send(request.header("x-role", role), "").await
    };
    let rerun = async |role: &str| {
        let request =
            axum::http::Request::post("/ui/rerun").header("sec-fetch-site", "same-origin");
        browser
            .post_as(
                request
                    .header("x-role", role)
                    .header("x-belts-actor", "grace"),
                &[("run", "failed")],
            )
            .await
    };
    for role in ["nobody", "broken"] {
        for path in PATHS {
            let page = ask(role, path).await;
            assert_eq!(page.status, 403, "{role} {path}");
            page.hides("charge-payment");
        }
        assert_eq!(rerun(role).await.status, 403);
    }
    // Nor does the token help.
    let bearer =
        axum::http::Request::get("/ui/runs").header("authorization", format!("Bearer {TOKEN}"));
    assert_eq!(browser.send(bearer, "").await.status, 403);
    assert_eq!(
        browser
            .post("/ui/sign-in", &[("token", TOKEN)])
            .await
            .status,
        403
    );

    let page = ask("reader", "/ui/runs/failed").await.good();
    page.says("charge-payment");
    page.hides("Rerun");
    ask("operator", "/ui/runs/failed")
        .await
        .good()
        .says("Rerun");
    let question = ask("reader", "/ui/rerun?run=failed").await.good();
    question.hides("<form");
    assert_eq!(rerun("reader").await.status, 403);
    assert!(worker.runs().get("failed").await.unwrap().notes.is_empty());
    ask("operator", "/ui/rerun?run=failed").await.good();
    assert_eq!(rerun("operator").await.status, 303);
    let note = worker.runs().get("failed").await.unwrap().notes[0].clone();
    assert_eq!(
        (&*note.by, &*note.action),
        ("dashboard from 127.0.0.1:5000, grace", "rerun")
    );
}

#[tokio::test]
async fn a_development_machine_lets_its_own_in_and_no_other() {
    let worker = shop::with_failed_run(shop::builder(), "local").await;
    let browser = Browser::of(&worker);
    let ask = |host: &str| axum::http::Request::get("/ui/runs").header("host", host);
    browser.send(ask("localhost:8787"), "").await.good();
    // A page whose name resolves to this machine.
    assert_eq!(browser.send(ask("evil.example"), "").await.status, 404);
    let proxied = ask("localhost:8787").header("x-forwarded-for", "10.0.0.1");
    assert_eq!(browser.send(proxied, "").await.status, 404);
}
