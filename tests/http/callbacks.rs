//! Callbacks over HTTP: who knows the id may complete it, and nobody else learns anything.

use axum::{body::Body, http::Request};
use belts::{Event, Worker, callback, step, store::Memory};
use belts_suite::{log, within};
use serde::{Deserialize, Serialize};

use crate::router::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-door-rang")]
struct DoorRang {
    door: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    LetIn,
    Ignore,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Parcel {
    grams: u32,
}

#[belts::function(id = "z-answer-door", on = DoorRang)]
async fn answer_door(rang: DoorRang) -> belts::Result<Reply> {
    let door = &rang.door;
    let answer = callback!("answer", Reply, page = "Who is at {door}?").await?;
    step!("tell", answer.id().to_owned()).await?;
    answer.result().await
}

#[belts::function(id = "z-weigh-parcel", on = DoorRang)]
async fn weigh_parcel(_: DoorRang) -> belts::Result<Parcel> {
    callback!("scales", Parcel).await?.result().await
}

/// A worker whose loop runs, and a run of each function that waits for its callback.
struct House {
    worker: Worker,
    _loop: tokio::task::JoinHandle<belts::Result<()>>,
}

impl House {
    async fn new() -> Self {
        let builder = Worker::builder().store(Memory::new());
        // No deliveries: callbacks need no key.
        let builder = builder.url("https://app.example/belts");
        let builder = builder.function(answer_door).function(weigh_parcel);
        let worker = builder.build().await.unwrap();
        let background = worker.clone();
        Self {
            worker,
            _loop: tokio::spawn(async move { background.run().await }),
        }
    }

    async fn id(&self, run_id: &str) -> String {
        within("it waits", async {
            loop {
                let journal = self.worker.runs().journal(run_id).await.unwrap();
                if journal.iter().any(|entry| entry.wait.is_some()) {
                    let envelope: serde_json::Value =
                        serde_json::from_slice(&journal[0].value).unwrap();
                    return envelope["ok"]["id"].as_str().unwrap().to_owned();
                }
                belts_suite::a_moment().await;
            }
        })
        .await
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        let host = "app.example".parse().unwrap();
        request.headers_mut().insert("host", host);
        send(&self.worker, request).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(json(path).body(body.to_owned().into()).unwrap())
            .await
    }

    async fn form(&self, path: &str, body: &str, origin: Option<&str>) -> Answer {
        let mut request = Request::post(path).header(
            "content-type",
            "application/x-www-form-urlencoded;charset=UTF-8",
        );
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request.body(body.to_owned().into()).unwrap())
            .await
    }
}

fn rang(door: &str) -> DoorRang {
    DoorRang {
        door: door.to_owned(),
    }
}

#[tokio::test]
async fn a_value_completes_it_and_the_same_once_more_is_no_error() {
    let house = House::new().await;
    let run = weigh_parcel(rang("front")).run_id("p/1").via(&house.worker);
    let run = run.start().await.unwrap();
    let id = house.id("p/1").await.replace('/', "%2F");
    let path = format!("/callbacks/{id}");
    let misfit = house.post(&path, r#"{"grams":"many"}"#).await;
    assert_eq!(misfit.code(), (400, "invalid-event".to_owned()));
    let text = misfit.message();
    assert!(text.contains("`grams`") && !text.contains("many"), "{text}");
    assert_eq!(house.post(&path, "{").await.status, 400);
    let done = house.post(&path, r#"{"grams":70}"#).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    assert_eq!(done.json()["completed"], true);
    assert_eq!(house.post(&path, r#" {"grams": 70} "#).await.status, 200);
    let other = house.post(&path, r#"{"grams":71}"#).await;
    assert_eq!(other.code(), (409, "conflict".to_owned()));
    assert!(!other.headers.contains_key("retry-after"));
    let parcel = within("it goes on", run.result()).await.unwrap();
    assert_eq!(parcel, Parcel { grams: 70 });
    assert_eq!(house.post(&path, r#"{"grams":70}"#).await.status, 200);
}

#[tokio::test]
async fn a_failure_needs_its_message() {
    let house = House::new().await;
    let run = weigh_parcel(rang("front")).run_id("p-2").via(&house.worker);
    let run = run.start().await.unwrap();
    let path = format!("/callbacks/{}/failure", house.id("p-2").await);
    for wrong in ["", "{}", r#"{"message":7}"#, "\"broken\""] {
        assert_eq!(house.post(&path, wrong).await.status, 400, "{wrong}");
    }
    let done = house.post(&path, r#"{"message":"the scales broke"}"#).await;
    assert_eq!(done.status, 200);
    let error = within("it ends", run.result()).await.unwrap_err();
    assert!(error.report().contains("the scales broke"), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_completed_says_why() {
    let house = House::new().await;
    let run = weigh_parcel(rang("front")).run_id("p-3").via(&house.worker);
    let run = run.start().await.unwrap();
    let id = house.id("p-3").await;
    let unknown = house.post("/callbacks/0123456789abcdef0123456789abcdef.p-3", "1");
    assert_eq!(unknown.await.code(), (404, "unknown-callback".to_owned()));
    for wrong in ["/callbacks/p-3", "/callbacks/%00", "/callbacks/%FF"] {
        let status = house.post(wrong, "1").await.status;
        assert!(status == 404 || status == 400, "{wrong}: {status}");
    }
    let path = format!("/callbacks/{id}");
    let plain = Request::post(&path).header("content-type", "text/plain");
    let plain = house.send(plain.body("1".into()).unwrap()).await;
    assert_eq!(plain.code(), (415, "not-json".to_owned()));
    let form = house.form(&path, "answer=1", None).await;
    assert_eq!(form.code(), (415, "not-json".to_owned()));
    let page = house.send(get(&path)).await;
    assert_eq!(page.code(), (405, "method-not-allowed".to_owned()));
    assert_eq!(page.headers["allow"], "POST");
    let big = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    assert_eq!(
        house.post(&path, &big).await.code(),
        (413, "too-large".to_owned())
    );
    run.cancel().await.unwrap();
    let closed = house.post(&path, r#"{"grams":1}"#).await;
    assert_eq!(closed.code(), (410, "callback-closed".to_owned()));
}

#[tokio::test]
async fn a_page_asks_and_each_button_answers() {
    let house = House::new().await;
    let run = answer_door(rang("<b>\"front\" & 'back'")).run_id("d-1");
    let run = run.via(&house.worker).start().await.unwrap();
    let path = format!("/callbacks/{}", house.id("d-1").await);
    let page = house.send(get(&path)).await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    let html = String::from_utf8(page.body).unwrap();
    assert!(
        html.contains("<h1>Who is at &lt;b&gt;&quot;front&quot; &amp; &#39;back&#39;?</h1>"),
        "{html}"
    );
    for choice in ["let-in", "ignore"] {
        let button = format!("<button name=\"answer\" value=\"{choice}\">{choice}</button>");
        assert!(html.contains(&button), "{html}");
    }
    assert!(!html.contains("<script"));
    for wrong in [
        "",
        "answer=burn",
        "answer=let-in&answer=ignore",
        "reply=let-in",
        "answer=%FF",
    ] {
        let refused = house.form(&path, wrong, None).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    // A link in a mail leads across sites; that decides nothing.
    let mut link = get(&path);
    let cross = "cross-site".parse().unwrap();
    link.headers_mut().insert("sec-fetch-site", cross);
    assert_eq!(house.send(link).await.status, 200);
    // A page of another site that has learned the URL may not use its visitor's browser.
    let foreign = house
        .form(&path, "answer=let-in", Some("https://evil.example"))
        .await;
    assert_eq!(foreign.status, 403);
    let own = Some("https://app.example");
    let done = house.form(&path, "answer=let-in", own).await;
    assert_eq!(done.status, 200);
    let html = String::from_utf8(done.body).unwrap();
    assert!(html.contains("Answered: <strong>let-in</strong>"), "{html}");
    let answer = within("it goes on", run.result()).await.unwrap();
    assert_eq!(answer, Reply::LetIn);
    let again = house.form(&path, "answer=let-in", own).await;
    assert_eq!(again.status, 200);
    let other = house.form(&path, "answer=ignore", own).await;
    assert_eq!(other.status, 409);
    let html = String::from_utf8(house.send(get(&path)).await.body).unwrap();
    assert!(
        html.contains("let-in") && !html.contains("<button"),
        "{html}"
    );
}

/// A key for deliveries is none for the page.
#[tokio::test]
async fn a_form_of_another_site_is_refused_by_a_worker_with_a_key_as_well() {
    let builder = Worker::builder().store(Memory::new()).function(answer_door);
    let builder = builder.url("https://app.example/belts");
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let worker = builder.signing_keys([key]).build().await.unwrap();
    let background = worker.clone();
    let house = House {
        worker,
        _loop: tokio::spawn(async move { background.run().await }),
    };
    let run = answer_door(rang("back")).run_id("d-3").via(&house.worker);
    run.start().await.unwrap();
    let path = format!("/callbacks/{}", house.id("d-3").await);
    let foreign = house.form(&path, "answer=ignore", Some("https://evil.example"));
    assert_eq!(foreign.await.code(), (403, "forbidden".to_owned()));
    let own = house.form(&path, "answer=ignore", Some("https://app.example"));
    assert_eq!(own.await.status, 200);
}

#[tokio::test]
async fn the_id_stands_in_no_log_and_in_no_inspection_without_values() {
    log::keep();
    let house = House::new().await;
    let run = answer_door(rang("front")).run_id("d-2").via(&house.worker);
    let run = run.start().await.unwrap();
    let id = house.id("d-2").await;
    let path = format!("/callbacks/{id}");
    let foreign = house
        .form(&path, "answer=ignore", Some("https://evil.example"))
        .await;
    assert_eq!(foreign.status, 403);
    assert_eq!(house.post(&path, "\"ignore\"").await.status, 200);
    within("it goes on", run.result()).await.unwrap();
    let secret = id.split('.').next().unwrap();
    assert_eq!(log::lines_with(&[secret]), Vec::<String>::new());
    assert!(!log::lines_with(&["refused a request"]).is_empty());
}

/// Somebody who may deliver events may not complete callbacks with them.
#[tokio::test]
async fn an_event_of_the_reserved_type_is_refused() {
    let worker = worker().await;
    let body = r#"{"event":{"type":"belts.callback","value":1}}"#;
    let answer = send(&worker, post(body)).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.message().contains("`belts.`"),
        "{}",
        answer.message()
    );
}
