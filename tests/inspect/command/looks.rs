//! Looking without touching, and what is said of arguments that cannot be right.

use belts::{Worker, store::RunStatus};

use super::*;

#[tokio::test]
async fn a_store_that_is_looked_at_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    publish_order_created(order("due"))
        .via(&worker)
        .await
        .unwrap();
    let before = worker.store().subscriptions().await.unwrap();
    let at = At(&["--store", &store], &[]);
    for command in [&["runs"][..], &["functions"], &["run", "nobody"]] {
        at.belts(command).await;
    }
    assert_eq!(worker.store().subscriptions().await.unwrap(), before);
    let runs = worker.runs().list().await.unwrap().runs;
    assert_eq!(
        runs[0].status,
        RunStatus::Pending,
        "it is due, and nobody claimed it"
    );
}

#[tokio::test]
async fn a_misspelled_store_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("typo.db");
    let store = format!("sqlite://{}", path.display());
    let told = belts_with(&["runs", "--store", &store], &[]).await.failed();
    assert_eq!(
        told,
        format!("error: `--store`: there is no file `{}`\n", path.display())
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn wrong_arguments_name_the_flag() {
    let both: &[(&str, &str)] = &[
        ("BELTS_STORE", "memory:"),
        ("BELTS_WORKER", "http://localhost"),
    ];
    let cases: [Case<'_>; 13] = [
        (&["runs"], &[], "`--store <URL>` or BELTS_STORE"),
        (&["runs"], both, "BELTS_STORE and BELTS_WORKER are both set"),
        (&["runs", "--store", "memory:"], &[], "`--worker <URL>`"),
        (
            &["runs", "--store", "mysql://ada:hunter2@host/db"],
            &[],
            "names no store that belts knows",
        ),
        (
            &["runs", "--store", "memory:", "--worker", "http://localhost"],
            &[],
            "'--store <URL>' cannot be used with '--worker <URL>'",
        ),
        (
            &["runs", "--worker", "localhost"],
            &[],
            "`--worker` must be the whole URL",
        ),
        (&["runs", "--since", "yesterday"], &[], "such as `24h`"),
        (
            &["runs", "--status", "broken"],
            &[],
            "[possible values: pending, running",
        ),
        (&["runs", "--limit", "0"], &[], "--limit <RUNS>"),
        (&["purge"], &[], "--before <TIME>"),
        (
            &["rerun", "--store", "sqlite:///dev/null"],
            &[],
            "`--status failed`",
        ),
        (
            &["rerun", "r-1", "--status", "failed"],
            &[],
            "cannot be used with",
        ),
        (&["cancel"], &[], "which runs? Give their ids"),
    ];
    for (arguments, variables, part) in cases {
        let told = belts_with(arguments, variables).await.usage();
        assert!(told.contains(part), "{arguments:?}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_worker_that_does_not_answer_as_one_is_told_apart() {
    let (_worker, url, _serving) = story(builder(), "refusing").await;
    let without = belts_with(&["runs", "--worker", &url], &[]).await.usage();
    assert!(without.contains("set BELTS_INSPECTION_TOKEN"), "{without}");
    let wrong = [("BELTS_INSPECTION_TOKEN", "wrong-horse-battery-staple")];
    let told = belts_with(&["runs", "--worker", &url], &wrong)
        .await
        .usage();
    assert!(
        told.contains("BELTS_INSPECTION_TOKEN") && !told.contains("horse"),
        "{told}"
    );
    let elsewhere = format!("{url}/elsewhere");
    let told = belts_with(&["runs", "--worker", &elsewhere], &[]).await;
    assert_eq!(told.code, 2, "{}", told.err);
    // Bound and closed again: nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("http://{free}");
    let told = belts_with(&["runs", "--worker", &nobody], &[])
        .await
        .failed();
    assert!(told.contains("does not respond"), "{told}");
}

#[tokio::test]
async fn a_long_list_is_cut_and_says_how_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    for _ in 0..5 {
        publish_order_created(order("many"))
            .via(&worker)
            .await
            .unwrap();
    }
    let at = At(&["--store", &store], &[]);
    let first = at.belts(&["runs", "--limit", "3", "--json"]).await;
    assert_eq!(first.lines().len(), 3);
    let mark = first
        .err
        .split("--page ")
        .nth(1)
        .unwrap()
        .split('`')
        .next()
        .unwrap();
    let rest = at.belts(&["runs", "--json", "--page", mark]).await;
    assert_eq!((rest.lines().len(), &*rest.err), (2, ""));
    let all = at.belts(&["runs", "--json"]).await.lines();
    assert_eq!([first.lines(), rest.lines()].concat(), all);
}

#[tokio::test]
async fn shells_are_given_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = belts_with(&["completions", shell], &[]).await.good();
        assert!(
            script.contains("rerun") && script.contains("belts"),
            "{shell}"
        );
    }
}

/// On a development machine `serve` makes a token, and the program finds it: no variable has to be set.
#[tokio::test]
async fn the_token_that_serve_made_is_found_beside_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("belts.db");
    let store = format!("sqlite://{}", file.display());
    let worker = with_failed_run(Worker::builder().store_url(&store), "found").await;
    let (url, _serving) = served(&worker).await;
    let there = [("BELTS_STORE", &*store)];
    let at = At(&["--worker", &url], &there);
    // The worker is about to serve. The program looks for the token before it connects, so it is there first.
    let token = directory.path().join("belts.db-token");
    let appears = async {
        while !token.exists() {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, appears)
        .await
        .expect("a token in time");
    let said = at.belts(&["runs"]).await.good();
    assert!(said.contains("failed"), "{said}");
    let functions = at.belts(&["functions"]).await.good();
    assert!(functions.contains("process-order"), "{functions}");
    let without = belts_with(&["runs", "--worker", &url], &[]).await.usage();
    assert!(without.contains("BELTS_INSPECTION_TOKEN"), "{without}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let token = directory.path().join("belts.db-token");
        let mode = std::fs::metadata(token).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
