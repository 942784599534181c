//! `belts ui`, and what `serve` says of the dashboard.

use std::process::Stdio;

use belts::store::Sqlite;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::shop::PATIENCE;

#[tokio::test]
async fn the_program_prints_a_link_that_signs_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("belts.db");
    drop(Sqlite::open(&path).await.unwrap());
    let mut program = Command::new(env!("CARGO_BIN_EXE_belts-program"))
        .args([
            "ui",
            "--as",
            "grace",
            "--store",
            &format!("sqlite://{}", path.display()),
        ])
        .env_remove("BELTS_STORE")
        .env_remove("BELTS_WORKER")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let said = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let link = said.strip_prefix("the dashboard is at ").unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let root = link.split_once("/sign-in").unwrap().0;
    assert_eq!(
        client
            .get(format!("{root}/runs"))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let wrong = client.get(format!(
        "{root}/sign-in?once=00000000000000000000000000000000"
    ));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let signed_in = client.get(link).send().await.unwrap();
    assert_eq!(signed_in.status(), 303);
    let cookie = signed_in.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let page = client
        .get(format!("{root}/runs"))
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("No runs yet"));
    let again = client.get(link).send().await.unwrap();
    assert_eq!(again.status(), 401);
    assert!(again.headers().get("set-cookie").is_none());
    assert!(again.text().await.unwrap().contains("This link is used up"));
}

#[tokio::test]
async fn the_program_says_what_it_needs() {
    for (args, says) in [
        (&["ui"][..], "where are the runs?"),
        (
            &["ui", "--worker", "http://127.0.0.1:1"],
            "a worker has the dashboard itself, under `/ui` of its URL",
        ),
    ] {
        let said = Command::new(env!("CARGO_BIN_EXE_belts-program"))
            .args(args)
            .env_remove("BELTS_STORE")
            .env_remove("BELTS_WORKER")
            .output()
            .await
            .unwrap();
        let err = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{err}");
        assert!(err.contains(says), "{err}");
    }
}
