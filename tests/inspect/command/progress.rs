//! The status of a run and the heartbeats of its steps, as the program and the router show them.

use belts::{Context, Event, Worker, store::RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
struct TableUploaded {
    rows: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Phase {
    phase: String,
}

fn phase(phase: &str) -> Phase {
    Phase {
        phase: phase.to_owned(),
    }
}

#[belts::function(id = "z-imports", on = TableUploaded)]
async fn import_table(table: TableUploaded, cx: Context) -> belts::Result<()> {
    cx.set_status(&phase("import\u{1b}")).await?;
    belts::step!("count", table.rows).await?;
    belts::step!("import", import(table.rows, &cx), backoff = "1h..1h").await
}

async fn import(rows: u32, cx: &Context) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    cx.heartbeat(&json!({ "row": rows - 1 })).await?;
    cx.heartbeat(&json!({ "row": rows })).await?;
    Err("the connection broke".into())
}

/// A line of the run itself.
fn line<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no `{name}` in {said}"))
        .trim()
}

#[tokio::test]
async fn a_run_shows_its_status_and_how_far_its_steps_are() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let call = import_table(TableUploaded { rows: 40 }).run_id("import");
    let handle = call.via(&worker).start().await.unwrap();
    until(&worker, "import", RunStatus::Suspended).await;
    let value = handle.status_value::<Phase>().await.unwrap();
    assert_eq!(value, Some(phase("import\u{1b}")));
    let wrong = handle.status_value::<u32>().await.unwrap_err();
    assert_eq!(wrong.kind(), belts::ErrorKind::Codec);
    let unknown = belts::run_of(import_table, "nobody").via(&worker);
    let unknown = unknown.status_value::<Phase>().await.unwrap_err();
    assert_eq!(unknown.kind(), belts::ErrorKind::UnknownRun);
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [direct, remote] {
        let said = at.belts(&["run", "import"]).await.good();
        assert_eq!(line(&said, "status value "), r#"{"phase":"import\u001b"}"#);
        assert_eq!(line(&said, "progress "), r#"import {"row":40}"#);
        assert!(line(&said, "import ").starts_with("waiting"), "{said}");
        assert!(said.contains("the connection broke"), "{said}");
        assert!(!said.contains("~status"), "{said}");
        let shown = at.belts(&["--json", "run", "import"]).await.good();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["statusValue"], json!({"phase": "import\u{1b}"}));
        let steps = shown["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1]["progress"], json!({"row": 40}));
        assert!(steps[0].get("progress").is_none() && steps[0].get("output").is_none());
    }
    let list = At(&["--store", &store], &[]);
    let list = list.belts(&["--json", "runs"]).await.good();
    assert!(!list.contains("statusValue"), "{list}");
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct TableCopied {
    shop: String,
}

#[belts::function(id = "z-copies", on = TableCopied)]
async fn copy_table(table: TableCopied, cx: Context) -> belts::Result<()> {
    let shop = shop(&table.shop);
    let read = async || {
        cx.heartbeat("all of it").await?;
        Ok::<_, belts::Error>(7)
    };
    belts::step!("read", read()).await?;
    let write = async || {
        cx.heartbeat("half of it").await?;
        shop.reached.notify_one();
        shop.opened.notified().await;
        Ok::<_, belts::Error>(())
    };
    belts::step!("write", write()).await
}

/// The first attempt was shown as none, and how far a step had been was shown where its result was not.
#[tokio::test]
async fn a_step_shows_its_attempt_and_how_far_it_is_while_it_is_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = worker.build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let event = TableCopied {
        shop: "copies".to_owned(),
    };
    let call = copy_table(event).run_id("copy").via(&worker);
    let handle = call.start().await.unwrap();
    let shop = shop("copies");
    tokio::time::timeout(PATIENCE, shop.reached.notified())
        .await
        .unwrap();
    let direct = At(&["--store", &store], &[]);
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    for at in [direct, remote] {
        let said = at.belts(&["run", "copy"]).await.good();
        let row: Vec<_> = line(&said, "write ").split_whitespace().collect();
        assert_eq!(row[..2], ["begun", "1"], "{said}");
        assert_eq!(line(&said, "progress "), r#"write "half of it""#);
        for (asked, read) in [
            (&["--json", "run", "copy"][..], None),
            (&["--json", "run", "copy", "--values"], Some("all of it")),
        ] {
            let shown = at.belts(asked).await.good();
            let shown: Value = serde_json::from_str(&shown).unwrap();
            let steps = shown["steps"].as_array().unwrap();
            assert_eq!(steps[0].get("progress").and_then(Value::as_str), read);
            assert_eq!(steps[1]["progress"], "half of it");
            assert_eq!(
                (&steps[0]["attempts"], &steps[1]["attempts"]),
                (&json!(1), &json!(1))
            );
        }
    }
    shop.opened.notify_one();
    handle.result().await.unwrap();
}
