//! Completing a callback from a shell.

use belts::{Event, Worker, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
struct VoteAsked {
    on: String,
}

#[belts::function(id = "z-count-vote", on = VoteAsked, retries = 0)]
async fn count_vote(_: VoteAsked) -> belts::Result<bool> {
    belts::callback!("vote", bool).await?.result().await
}

#[tokio::test]
async fn a_callback_is_completed_with_a_value_or_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let builder = Worker::builder().store_url(&store).inspection_token(TOKEN);
    let worker = builder.function(count_vote).build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let ways = [
        ("direct", At(&["--store", &store], &[])),
        ("remote", At(&["--worker", &url], &[])),
    ];
    for (way, at) in ways {
        let ids = [format!("{way}-yes"), format!("{way}-broken")];
        let mut callbacks = Vec::new();
        for id in &ids {
            let on = "lunch".to_owned();
            let run = count_vote(VoteAsked { on }).run_id(id).via(&worker);
            run.start().await.unwrap();
            until(&worker, id, RunStatus::Suspended).await;
            let shown = At(&["--store", &store], &[]);
            let shown = shown.belts(&["run", id]).await.good();
            assert!(
                shown.contains("callback") && shown.contains("waiting "),
                "{shown}"
            );
            let journal = worker.runs().journal(id).await.unwrap();
            let value: serde_json::Value = serde_json::from_slice(&journal[0].value).unwrap();
            let callback = value["ok"]["id"].as_str().unwrap().to_owned();
            assert!(!shown.contains(&callback[..32]), "{shown}");
            callbacks.push(callback);
        }
        let [yes, broken] = [&*callbacks[0], &*callbacks[1]];
        let wrong = at.belts(&["complete", yes, "tru"]).await.usage();
        assert!(wrong.contains("must be JSON"), "{wrong}");
        // The program itself does not know the type; a worker does.
        if way == "remote" {
            let wrong = at.belts(&["complete", yes, "7"]).await.failed();
            assert!(wrong.contains("bool"), "{wrong}");
        }
        let done = at.belts(&["complete", yes, "true"]).await.good();
        assert_eq!(done, "completed\n");
        let json = at.belts(&["--json", "complete", yes, "true"]).await.good();
        assert_eq!(json, "{\"completed\":true}\n");
        let other = at.belts(&["complete", yes, "false"]).await.failed();
        assert!(other.contains("already completed"), "{other}");
        at.belts(&["complete", broken, "--fail", "no paper"])
            .await
            .good();
        until(&worker, &ids[0], RunStatus::Completed).await;
        until(&worker, &ids[1], RunStatus::Failed).await;
        let unknown = at.belts(&["complete", "nobody", "1"]).await.failed();
        assert!(unknown.contains("no callback"), "{unknown}");
        at.belts(&["complete", yes]).await.usage();
        at.belts(&["complete", yes, "1", "--fail", "x"])
            .await
            .usage();
    }
}
