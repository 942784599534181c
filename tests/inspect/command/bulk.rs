//! Cancelling all runs that match: counted first, asked, then done.

use std::sync::Arc;

use belts::{
    Clock as _, SystemClock,
    store::{RunStatus, SharedStore, Sqlite},
};
use serde_json::json;

use super::*;
use crate::bulk::fill;

/// A store with runs that nobody drives.
pub(super) struct Yard {
    directory: tempfile::TempDir,
    store: SharedStore,
}

impl Yard {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(directory.path().join("belts.db")).await;
        let store: SharedStore = Arc::new(sqlite.unwrap());
        fill(&store, "mine", 0..1_204).await;
        fill(&store, "theirs", 0..3).await;
        Self { directory, store }
    }

    pub(super) fn url(&self) -> String {
        format!(
            "sqlite://{}",
            self.directory.path().join("belts.db").display()
        )
    }

    pub(super) async fn unfinished(&self, function: &str) -> usize {
        let functions = self
            .store
            .functions(SystemClock.now(), 10_000)
            .await
            .unwrap();
        let of = functions.iter().find(|it| &*it.function_id == function);
        of.map_or(0, |it| it.unfinished)
    }
}

#[tokio::test]
async fn runs_are_counted_then_cancelled_in_a_store() {
    let yard = Yard::new().await;
    let url = yard.url();
    let at = At(&["--store", &url], &[]);
    let unsure = at.belts(&["cancel", "--since", "24h"]).await;
    let counted = "FUNCTION  STATUS   RUNS\nmine      pending  1,204\ntheirs    pending  3\n";
    assert_eq!(
        unsure.usage(),
        format!("{counted}error: 1,207 runs would be cancelled: add `--yes`\n")
    );
    let some = at.belts(&["cancel", "--function", "mine", "--limit", "100"]);
    assert!(
        some.await
            .usage()
            .contains("error: 100 of 1,204 runs would be cancelled")
    );
    assert_eq!(yard.unfinished("mine").await, 1_204, "nothing was done");

    let some = at.belts(&["cancel", "--function", "mine", "--limit", "100", "--yes"]);
    assert_eq!(some.await.good(), "cancelled 100 runs\n");
    assert_eq!(yard.unfinished("mine").await, 1_104);
    let newest = yard.store.run("mine-1104").await.unwrap().unwrap();
    assert_eq!(newest.status, RunStatus::Cancelled);
    let all = at.belts(&[
        "cancel",
        "--status",
        "pending,running",
        "--function",
        "mine",
        "--yes",
    ]);
    let all = all.await;
    assert_eq!(all.good(), "cancelled 1,104 runs\n");
    assert!(
        all.err.ends_with("cancelled 1,000 runs so far\n"),
        "{}",
        all.err
    );
    let nothing = at.belts(&["cancel", "--function", "mine"]).await;
    assert_eq!(
        (&*nothing.good(), &*nothing.err),
        ("", "there is no such run\n")
    );
    let nothing = at.belts(&["cancel", "--function", "mine", "--json"]).await;
    nothing.good();
    assert_eq!(nothing.lines()[0]["cancelled"], 0);
    assert_eq!(yard.unfinished("theirs").await, 3);
    let one = at.belts(&["--as", "ada", "cancel", "--event", "e-theirs-1", "--yes"]);
    assert_eq!(one.await.good(), "cancelled 1 run\n");
    let note = &yard.store.run("theirs-1").await.unwrap().unwrap().notes[0];
    assert_eq!(&*note.by, "belts command, ada");
    assert!(note.action.contains("event e-theirs-1"), "{}", note.action);
}

#[tokio::test]
async fn runs_are_cancelled_through_a_worker() {
    let yard = Yard::new().await;
    let worker = Worker::builder()
        .shared_store(Arc::clone(&yard.store))
        .inspection_token(TOKEN)
        .build()
        .await
        .unwrap();
    let (url, _serving) = served(&worker).await;
    let at = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    let some = at.belts(&[
        "cancel",
        "--function",
        "mine",
        "--limit",
        "1",
        "--yes",
        "--json",
    ]);
    let some = some.await;
    some.good();
    let line = &some.lines()[0];
    assert_eq!((&line["cancelled"], &line["ended"]), (&json!(1), &json!(0)));
    let all = at
        .belts(&["--as", "ada", "cancel", "--function", "mine", "--yes"])
        .await;
    assert_eq!(all.good(), "cancelled 1,203 runs\n");
    assert!(
        all.err.contains("mine      pending  1,203\n"),
        "{}",
        all.err
    );
    assert!(
        all.err.ends_with("cancelled 1,000 runs so far\n"),
        "{}",
        all.err
    );
    assert_eq!(yard.unfinished("mine").await, 0);
    assert_eq!(yard.unfinished("theirs").await, 3);
    let note = &worker.runs().get("mine-0").await.unwrap().notes[0];
    assert!(note.by.ends_with(", ada"), "{}", note.by);
    let stranger = At(&["--worker", &url], &[]);
    let refused = stranger
        .belts(&["cancel", "--function", "theirs", "--yes"])
        .await;
    assert!(refused.usage().contains("inspection token"));
    assert_eq!(yard.unfinished("theirs").await, 3);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let yard = Yard::new().await;
    let url = yard.url();
    let at = At(&["--store", &url], &[]);
    for (arguments, part) in [
        (
            &["cancel"][..],
            "which runs? Give their ids, or select them",
        ),
        (
            &["cancel", "--yes"],
            "`--status pending,running,suspended,stopped`",
        ),
        (&["cancel", "--limit", "7", "--yes"], "which runs?"),
        (&["cancel", "--until", "3000-01-01", "--yes"], "which runs?"),
        (&["cancel", "--since", "1970-01-01", "--yes"], "which runs?"),
        (
            &["cancel", "mine-1", "--function", "mine"],
            "cannot be used with",
        ),
        (&["cancel", "mine-1", "--limit", "1"], "cannot be used with"),
        (
            &["cancel", "--parent", "p", "mine-1"],
            "cannot be used with",
        ),
        (
            &["cancel", "--function", "", "--yes"],
            "`--function` is empty",
        ),
        (
            &["cancel", "--status", "failed", "--yes"],
            "`--status failed`: only runs that have not ended",
        ),
        (
            &["cancel", "--status", "gone", "--yes"],
            "invalid value 'gone'",
        ),
        (
            &["cancel", "--function", "mine", "--limit", "0"],
            "invalid value '0'",
        ),
        (
            &["cancel", "--since", "never", "--yes"],
            "invalid value 'never'",
        ),
    ] {
        let told = at.belts(arguments).await.usage();
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
    assert_eq!(yard.unfinished("mine").await, 1_204);
    let all = [
        "cancel",
        "--status",
        "pending,running,suspended,stopped",
        "--yes",
    ];
    assert_eq!(at.belts(&all).await.good(), "cancelled 1,207 runs\n");
}

#[tokio::test]
async fn what_fails_is_stepped_over() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cancel = |uri: axum::http::Uri| async move {
        if uri.query().unwrap_or_default().contains("page=m-1") {
            let part = json!({"cancelled": 10, "ended": 0, "next": null});
            return (axum::http::StatusCode::OK, axum::Json(part));
        }
        let refusal = json!({
            "error": true, "message": "a lock is held", "code": "store", "cancelled": 999, "next": "m-1",
        });
        let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        (status, axum::Json(refusal))
    };
    let list = || async { axum::Json(json!({"runs": [hostile::run_with("r")], "next": null})) };
    let router = axum::Router::new()
        .route("/runs", axum::routing::get(list))
        .route("/runs/cancel", axum::routing::post(cancel));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let at = At(&["--worker", &url], &[]);
    let told = at.belts(&["cancel", "--function", "f", "--yes"]).await;
    let told = told.failed();
    let all = "cancelled 1,009 runs and stepped over what failed\n";
    assert!(told.contains(all), "{told}");
    assert!(told.ends_with("responded: a lock is held\n"), "{told}");
}
