//! Events from the command line, from a file and from standard input.

use belts::{Worker, store::RunStatus};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::*;

#[tokio::test]
async fn events_are_published_once_for_each_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let payload = json!({"shop": "keyed", "cents": 20}).to_string();
    let event = [
        "publish",
        "order-created",
        &payload,
        "--key",
        "o-1",
        "--json",
    ];
    let direct = At(&["--store", &store], &[]);
    let first = &direct.belts(&event).await.lines()[0];
    assert_eq!(
        (&first["duplicate"], &first["runs"][0]["functionId"]),
        (&json!(false), &json!("process-order"))
    );
    // By the worker it is the same event, and for a program that publishes it is too.
    let there = [("BELTS_STORE", &*store)];
    let remote = At(&["--worker", &url], &there);
    let second = &remote.belts(&event).await.lines()[0];
    assert_eq!(
        (&second["duplicate"], &second["eventId"]),
        (&json!(true), &first["eventId"])
    );
    let own = publish_order_created(order("keyed"))
        .idempotency_key("o-1")
        .via(&worker);
    assert!(own.await.unwrap().duplicate);
    for at in [direct, remote] {
        let functions = at.belts(&["functions", "--json"]).await.lines();
        let ours = functions.iter().find(|it| it["id"] == "process-order");
        let ours = ours.unwrap();
        assert_eq!(
            (&ours["events"], &ours["living"]),
            (&json!(["order-created"]), &json!(true))
        );
    }
    let table = At(&["--store", &store], &[]).belts(&["functions"]).await;
    let heading = table.good().lines().next().map(str::to_owned);
    let heading = heading.unwrap();
    assert_eq!(heading, "FUNCTION       WORKERS  UNFINISHED  EVENTS");
}

#[tokio::test]
async fn an_event_comes_from_a_file_or_from_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    let payload = json!({"shop": "piped", "cents": 3}).to_string();
    let file = directory.path().join("event.json");
    std::fs::write(&file, &payload).unwrap();
    let at = At(&["--store", &store], &[]);
    let from_file = format!("@{}", file.display());
    at.belts(&["publish", "order-created", &from_file, "--delay", "1h"])
        .await
        .good();
    let mut command = program(
        &[
            "publish",
            "order-created",
            "-",
            "--store",
            &store,
            "--delay",
            "1h",
        ],
        &[],
    );
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(payload.as_bytes())
        .await
        .unwrap();
    said(child.wait_with_output().await.unwrap()).good();
    let runs = worker.runs().list().await.unwrap().runs;
    assert_eq!(runs.len(), 2);
    for run in runs {
        // A list has no payloads.
        let run = worker.runs().get(&run.run_id).await.unwrap();
        assert_eq!(
            (&*run.payload, run.status),
            (payload.as_bytes(), RunStatus::Pending)
        );
        assert!(run.due_at.unwrap() > run.created_at, "it is delayed");
    }
    let unheard = at.belts(&["publish", "nobody-listens", "{}"]).await;
    assert_eq!(unheard.err, "no function subscribes to `nobody-listens`\n");
    assert!(unheard.good().ends_with("started 0 runs\n"));
}

#[tokio::test]
async fn wrong_events_are_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    let at = At(&["--store", &store], &[]);
    for (event_type, payload, part) in [
        ("order-created", "[1]", "must be a JSON object"),
        ("order-created", "{", "must be a JSON object"),
        (
            "order-created",
            r#"{"type":"order-created"}"#,
            "has a field `type`",
        ),
        ("", "{}", "the event's type is empty"),
    ] {
        let told = at.belts(&["publish", event_type, payload]).await.usage();
        assert!(told.contains(part), "{told}");
    }
    let told = at
        .belts(&["publish", "order-created", "@nowhere.json"])
        .await
        .failed();
    assert!(
        told.starts_with("error: cannot read the event from `nowhere.json`: "),
        "{told}"
    );
    let told = at.belts(&["rerun", "--status", "completed"]).await.usage();
    assert!(told.contains("`--status completed`"), "{told}");
    assert!(worker.runs().list().await.unwrap().runs.is_empty());
}
