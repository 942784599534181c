//! Changes that another site has a browser ask for.

use axum::http::{Request, request};

use super::browser::{Browser, TOKEN, builder};
use crate::shop;

fn post() -> request::Builder {
    Request::post("/ui/rerun")
}

#[tokio::test]
async fn a_change_must_come_from_a_page_of_ours() {
    let worker = shop::with_failed_run(builder(), "forged").await;
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui/rerun?run=failed").await.good();
    let foreign = [
        post(),
        post().header("sec-fetch-site", "cross-site"),
        post().header("sec-fetch-site", "same-site"),
        post().header("sec-fetch-site", "none"),
        post().header("sec-fetch-site", ""),
        post()
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-site", "cross-site"),
        post()
            .header("sec-fetch-site", "cross-site")
            .header("origin", "http://belts.example"),
        post().header("origin", "https://evil.example"),
        post().header("origin", "http://belts.example.evil.example"),
        post().header("origin", "http://belts.example:81"),
        post().header("origin", "null"),
        post()
            .header("origin", "http://belts.example")
            .header("origin", "https://evil.example"),
    ];
    for request in foreign {
        let shown = format!("{:?}", request.headers_ref());
        let page = browser.post_as(request, &[("run", "failed")]).await;
        assert_eq!(page.status, 403, "{shown}");
    }
    assert!(worker.runs().get("failed").await.unwrap().notes.is_empty());
    for request in [
        post().header("origin", "http://belts.example"),
        post()
            .header("origin", "https://app.example")
            .header("x-forwarded-host", "app.example"),
        post()
            .header("sec-fetch-site", "same-origin")
            .header("origin", "https://whatever.example"),
    ] {
        let page = browser.post_as(request, &[("run", "failed")]).await;
        assert_eq!(page.status, 303, "{}", page.body);
    }
}

#[tokio::test]
async fn a_change_must_have_what_the_form_has() {
    let worker = shop::with_failed_run(builder(), "forms").await;
    let browser = Browser::signed_in(&worker).await;
    let form = browser
        .get("/ui/rerun?run=failed")
        .await
        .good()
        .form()
        .unwrap();
    let other = Browser::signed_in(&worker).await;
    let of_other = other
        .get("/ui/rerun?run=failed")
        .await
        .good()
        .form()
        .unwrap();
    assert_ne!(form, of_other);
    let site = || post().header("sec-fetch-site", "same-origin");
    for given in ["", of_other.as_str(), "0", &form[1..]] {
        let page = browser
            .post_only(site(), &[("form", given), ("run", "failed")])
            .await;
        assert_eq!(page.status, 403, "{given}");
    }
    let page = browser.post_only(site(), &[("run", "failed")]).await;
    assert_eq!(page.status, 403);
    assert!(worker.runs().get("failed").await.unwrap().notes.is_empty());
    // A program that asks with the cookie sends it in a header.
    let request = site()
        .header("x-belts-form", &form)
        .header("content-type", "application/json");
    let page = browser
        .send(
            request.header("accept", "application/json"),
            r#"{"run":"failed"}"#,
        )
        .await;
    assert_eq!((page.status, &page.json()["changed"]), (200, &true.into()));
}

#[tokio::test]
async fn signing_in_must_come_from_a_page_of_ours_too() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::of(&worker);
    let request = Request::post("/ui/sign-in").header("sec-fetch-site", "cross-site");
    let page = browser.post_as(request, &[("token", TOKEN)]).await;
    assert_eq!((page.status, page.header("set-cookie")), (403, ""));
}

#[tokio::test]
async fn a_program_with_the_token_needs_neither() {
    let worker = shop::with_failed_run(builder(), "programs").await;
    let browser = Browser::of(&worker);
    let request = post().header("authorization", format!("Bearer {TOKEN}"));
    let request = request
        .header("accept", "application/json")
        .header("content-type", "application/json");
    let page = browser
        .send(request, r#"{"run":"failed","from":"charge-payment"}"#)
        .await
        .good();
    assert_eq!(
        (&page.json()["runId"], &page.json()["status"]),
        (&"failed".into(), &"suspended".into())
    );
    let note = &worker.runs().get("failed").await.unwrap().notes[0];
    assert_eq!(
        (&*note.by, &*note.action),
        ("token from 127.0.0.1:5000", "rerun from charge-payment")
    );
}

#[tokio::test]
async fn nothing_is_changed_by_a_get() {
    let worker = shop::with_failed_run(builder(), "gets").await;
    let browser = Browser::signed_in(&worker).await;
    for path in [
        "/ui/rerun?run=failed",
        "/ui/cancel?run=failed",
        "/ui/cancel?function=wait",
        "/ui/pause?function=process-order",
        "/ui/resume?function=process-order",
        "/ui/publish?type=order-created",
        "/ui/settle?run=failed&step=ship",
        "/ui/complete?run=failed&step=ship",
    ] {
        browser.get(path).await.good();
    }
    assert_eq!(browser.get("/ui/sign-out").await.status, 405);
    let run = worker.runs().get("failed").await.unwrap();
    assert!(run.notes.is_empty());
    assert!(
        worker
            .functions()
            .list()
            .await
            .unwrap()
            .iter()
            .all(|it| it.paused_at.is_none())
    );
}
