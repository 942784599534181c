//! The program `belts`: which runs failed today, at which step and with what error; and to run them again after a fix.

use std::{
    process::{Output, Stdio},
    sync::atomic::Ordering,
};

use belts::{Worker, store::RunStatus};
use belts_suite::servers;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::support::*;

const TOKEN: &str = "correct-horse-battery-staple";

/// What the program said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// The output of a command that works.
    #[track_caller]
    fn good(&self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out.clone()
    }

    /// What is told of arguments that cannot be right.
    #[track_caller]
    fn usage(&self) -> String {
        assert_eq!((self.code, &*self.out), (2, ""), "{}", self.err);
        self.err.clone()
    }

    /// What is told of something that does not work.
    #[track_caller]
    fn failed(&self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        self.err.clone()
    }
}

/// The program in an environment without variables of ours, but for these.
fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belts-program"));
    for name in ["STORE", "WORKER", "INSPECTION_TOKEN", "SIGNING_KEYS"] {
        command.env_remove(format!("BELTS_{name}"));
    }
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn belts_with(arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let output = program(arguments, variables).output();
    said(
        tokio::time::timeout(PATIENCE, output)
            .await
            .unwrap()
            .unwrap(),
    )
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Arguments, variables, and a part of what is told of them.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

/// Where a program finds runs: arguments and variables.
struct At<'a>(&'a [&'a str], &'a [(&'a str, &'a str)]);

impl At<'_> {
    async fn belts(&self, arguments: &[&str]) -> Said {
        belts_with(&[arguments, self.0].concat(), self.1).await
    }
}

/// The story that the program is there for, on a worker that runs.
async fn failures_are_found_and_mended(worker: &Worker, at: At<'_>, name: &str) {
    publish_order_created(order(name))
        .via(worker)
        .await
        .unwrap();
    two_have_failed(worker).await;
    let well = format!("{name}-well");
    shop(&well).mended.store(true, Ordering::SeqCst);
    let executed = worker.execute(order(&well)).function("process-order");
    executed.run_id("well").await.unwrap();

    // Which runs failed today?
    let failed = ["runs", "--status", "failed", "--since", "24h"];
    let table = at.belts(&failed).await.good();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("RUN"), "{table}");
    let line = lines
        .iter()
        .find(|line| line.starts_with("failed "))
        .unwrap();
    assert!(line.contains("  failed  process-order  2"), "{table}");
    assert!(
        line.ends_with("step `charge-payment` failed: card declined"),
        "{table}"
    );
    assert!(!table.contains('\x1b'), "no terminal reads it");
    let json = at.belts(&[&failed[..], &["--json"]].concat()).await;
    assert_eq!(json.lines().len(), 2);
    let none = at.belts(&["runs", "--function", "nobody"]).await;
    assert_eq!(
        (none.err.trim(), none.good().as_str()),
        ("there is no such run", "")
    );

    // At which step, and with what error?
    let shown = at.belts(&["run", "failed"]).await.good();
    for part in [
        "status           failed\n",
        "function         process-order\n",
        "event            order-created ",
        "error            step `charge-payment` failed: card declined\n",
        "check-inventory  completed  1         2",
        "charge-payment   failed     1         2",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("payload"), "{shown}");
    let shown = at.belts(&["run", "failed", "--values"]).await.good();
    assert!(shown.contains("\"cents\":20"), "{shown}");
    assert!(shown.contains("\ncheck-inventory\n  20\n"), "{shown}");
    let run = &at.belts(&["run", "failed", "--json"]).await.lines()[0];
    assert_eq!(run["steps"][1]["error"]["message"], "card\ndeclined");

    // After the fix, all of them again.
    shop(name).mended.store(true, Ordering::SeqCst);
    let again = [
        "rerun",
        "--status",
        "failed",
        "--since",
        "24h",
        "--function",
        "process-order",
    ];
    let asks = at.belts(&again).await.usage();
    assert_eq!(asks, "error: 2 runs would run again: add `--yes`\n");
    assert_eq!(
        worker.runs().get("failed").await.unwrap().status,
        RunStatus::Failed
    );
    let done = at.belts(&[&again[..], &["--yes"]].concat()).await.good();
    assert_eq!(done.lines().count(), 2);
    assert!(done.contains("failed goes on\n"), "{done}");
    until(worker, "failed", RunStatus::Completed).await;
    // Of two runs each checked once, before the fix; the other shop's counts for itself.
    assert_eq!(shop(name).checks.load(Ordering::SeqCst), 2);
}

async fn two_have_failed(worker: &Worker) {
    let failed = async {
        let list = worker.runs().list().status(RunStatus::Failed);
        while list.clone().await.unwrap().runs.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
}

/// A worker in whose store one run has failed under a name of its own, and its loop and router.
async fn story(builder: belts::WorkerBuilder, name: &str) -> (Worker, String, Serving) {
    let worker = with_failed_run(builder.inspection_token(TOKEN), name).await;
    let (url, serving) = served(&worker).await;
    (worker, url, serving)
}

#[tokio::test]
async fn failures_are_found_and_mended_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let (worker, _url, _serving) = story(Worker::builder().store_url(&store), "sqlite").await;
    let at = At(&["--store", &store], &[]);
    failures_are_found_and_mended(&worker, at, "sqlite").await;
}

#[tokio::test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn failures_are_found_and_mended_in_postgres() {
    let server = servers::Postgres::shared();
    let schema = server.schema();
    let mark = if server.url().contains('?') { '&' } else { '?' };
    let store = format!("{}{mark}schema={}", server.url(), schema.name());
    let (worker, _url, serving) = story(Worker::builder().store_url(&store), "postgres").await;
    let at = At(&[], &[("BELTS_STORE", &store)]);
    failures_are_found_and_mended(&worker, at, "postgres").await;
    worker.shutdown();
    serving.ended().await;
}

#[tokio::test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn failures_are_found_and_mended_in_redis() {
    let server = servers::Redis::shared();
    let prefix = server.prefix();
    let store = format!("{}?key_prefix={}", server.url(), prefix.name());
    let (worker, _url, serving) = story(Worker::builder().store_url(&store), "redis").await;
    let at = At(&["--store", &store], &[]);
    failures_are_found_and_mended(&worker, at, "redis").await;
    worker.shutdown();
    serving.ended().await;
}

#[tokio::test]
async fn failures_are_found_and_mended_by_a_worker() {
    let (worker, url, _serving) = story(builder(), "remote").await;
    let at = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    failures_are_found_and_mended(&worker, at, "remote").await;
}

#[tokio::test]
async fn events_are_published_once_for_each_key() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    let (url, _serving) = served(&worker).await;
    let payload = json!({"shop": "keyed", "cents": 1}).to_string();
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
    let remote = At(&["--worker", &url], &[]);
    let second = &remote.belts(&event).await.lines()[0];
    assert_eq!(
        (&second["duplicate"], &second["eventId"]),
        (&json!(true), &first["eventId"])
    );
    let own = publish_order_created(order("keyed"))
        .idempotency_key("o-1")
        .via(&worker);
    assert!(own.await.unwrap().duplicate);
    let functions = direct.belts(&["functions"]).await.good();
    assert_eq!(functions, remote.belts(&["functions"]).await.good());
    assert_eq!(
        functions,
        "FUNCTION       EVENTS\nprocess-order  order-created\nwait           waited\n"
    );
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
        assert_eq!(
            (&*run.payload, run.status),
            (payload.as_bytes(), RunStatus::Pending)
        );
        assert!(run.due_at.unwrap() > run.created_at, "it is delayed");
    }
    let unheard = at.belts(&["publish", "nobody-listens", "{}"]).await;
    assert_eq!(unheard.err, "no function listens for `nobody-listens`\n");
    assert!(unheard.good().ends_with("started 0 runs\n"));
}

#[tokio::test]
async fn a_run_goes_on_from_the_step_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = with_failed_run(
        Worker::builder().store_url(&store).inspection_token(TOKEN),
        "named",
    )
    .await;
    let (url, _serving) = served(&worker).await;
    let direct = At(&["--store", &store], &[]);
    let said = direct
        .belts(&["rerun", "failed", "--from", "check-inventory"])
        .await;
    assert_eq!(said.good(), "failed goes on\n");
    let ran_again = async |times| {
        let ran = async {
            while shop("named").checks.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ran).await.unwrap();
        until(&worker, "failed", RunStatus::Failed).await;
    };
    ran_again(2).await;
    let remote = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    remote
        .belts(&["rerun", "failed", "--from", "check-inventory"])
        .await
        .good();
    ran_again(3).await;
    let all = direct
        .belts(&["rerun", "--status", "failed", "--from", "ship"])
        .await;
    assert!(all.usage().contains("`--from` is a step of one function"));
}

#[tokio::test]
async fn what_cannot_be_changed_is_told_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = with_failed_run(Worker::builder().store_url(&store), "changes").await;
    let at = At(&["--store", &store], &[]);
    let told = at.belts(&["cancel", "failed", "nobody"]).await;
    let (out, err) = (&told.out, told.failed());
    assert_eq!(out, "");
    assert_eq!(
        err,
        "the run failed is failed, and cannot be cancelled\nerror: there is no run `nobody`\n"
    );
    let again = at.belts(&["rerun", "nobody", "failed"]).await;
    assert_eq!(
        again.out, "failed goes on\n",
        "one that is unknown does not keep the others"
    );
    assert_eq!(again.failed(), "error: there is no run `nobody`\n");
    assert_eq!(
        at.belts(&["cancel", "failed"]).await.good(),
        "failed cancelled\n"
    );
    assert_eq!(
        worker.runs().get("failed").await.unwrap().status,
        RunStatus::Cancelled
    );
    assert_eq!(
        at.belts(&["run", "nobody"]).await.failed(),
        "error: there is no run `nobody`\n"
    );
    assert_eq!(
        at.belts(&["purge", "--before", "1d"]).await.good(),
        "purged 0 runs\n"
    );
    assert_eq!(
        at.belts(&["purge", "--before", "2999-01-01"]).await.good(),
        "purged 1 run\n"
    );
}

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
        (&["cancel"], &[], "<IDS>"),
    ];
    for (arguments, variables, part) in cases {
        let told = belts_with(arguments, variables).await.usage();
        assert!(told.contains(part), "{arguments:?}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
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
    assert!(
        told.contains("there is no answer from the worker at"),
        "{told}"
    );
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
