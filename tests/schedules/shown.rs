//! Schedules over HTTP, and by the program `belts`.

use axum::{body::Body, http::Request};
use belts::{
    Schedule, Tick, step,
    testing::{Harness, SqliteFile},
};
use serde_json::{Value, json};

use crate::support::{DAY, clock};

const TOKEN: &str = "a-token-that-nobody-guesses";

#[belts::function(id = "shown-report", cron = "0 9 * * *", tz = "Europe/Berlin")]
async fn report(tick: Tick) -> belts::Result<String> {
    let number: Option<u32> = tick.data()?;
    step!("tell", format!("{} {number:?}", tick.schedule())).await
}

async fn asked(harness: &Harness, method: &str, path: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Body::empty())
        .unwrap();
    let answer = harness.request(request).await.unwrap();
    (answer.status(), answer.json().unwrap())
}

#[tokio::test]
async fn schedules_are_listed_and_changed_over_http() {
    let builder = Harness::builder()
        .clock(clock("2025-01-03T07:00:00Z"))
        .function(report)
        .worker(|builder| builder.inspection_token(TOKEN));
    let harness = builder.build().await.unwrap();
    let put = "/schedules/tenant-7/put?function=shown-report&cron=0+10+*+*+*&overlap=queue&data=7";
    let changed = json!({"name": "tenant-7", "changed": true});
    assert_eq!(asked(&harness, "POST", put).await, (200, changed.clone()));
    let (status, listed) = asked(&harness, "GET", "/schedules?next=2").await;
    assert_eq!(status, 200);
    let of_code = &listed["schedules"][0];
    assert_eq!(
        (&of_code["name"], &of_code["tz"], &of_code["inCode"]),
        (
            &json!("shown-report"),
            &json!("Europe/Berlin"),
            &json!(true)
        )
    );
    assert_eq!(
        of_code["next"],
        json!(["2025-01-03T08:00:00Z", "2025-01-04T08:00:00Z"])
    );
    assert_eq!(listed["schedules"][1]["overlap"], "queue");
    for (action, wanted) in [("pause", true), ("pause", false), ("resume", true)] {
        let (status, done) =
            asked(&harness, "POST", &format!("/schedules/tenant-7/{action}")).await;
        assert_eq!(
            (status, &done["changed"]),
            (200, &json!(wanted)),
            "{action}"
        );
    }
    let (_, triggered) = asked(&harness, "POST", "/schedules/tenant-7/trigger").await;
    harness.settle().await.unwrap();
    let run = triggered["runId"].as_str().unwrap();
    assert_eq!(
        harness
            .runs_of(report)
            .await
            .unwrap()
            .iter()
            .find(|one| one.run_id() == run)
            .unwrap()
            .output()
            .unwrap(),
        "tenant-7 Some(7)"
    );
    harness.travel(DAY).await.unwrap();
    let (_, shown) = asked(&harness, "GET", "/schedules/tenant-7").await;
    assert_eq!(shown["counts"]["started"], 1);
    assert_eq!(
        asked(&harness, "POST", "/schedules/tenant-7/remove").await,
        (200, changed)
    );
    let (status, refused) = asked(&harness, "GET", "/schedules/tenant-7").await;
    assert_eq!(
        (status, &refused["code"]),
        (404, &json!("unknown-schedule"))
    );
    for wrong in [
        "/schedules/t/put?function=shown-report&cron=0+25+*+*+*",
        "/schedules/t/put?function=shown-report&every=1h&tz=UTC",
        "/schedules/t/put?cron=0+9+*+*+*",
    ] {
        assert_eq!(asked(&harness, "POST", wrong).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn many_schedules_are_listed_page_by_page() {
    let builder = Harness::builder()
        .clock(clock("2025-01-03T07:00:00Z"))
        .function(report)
        .worker(|builder| builder.inspection_token(TOKEN));
    let harness = builder.build().await.unwrap();
    let schedules = harness.worker().schedules();
    for number in 0..120 {
        let daily = Schedule::cron("0 9 * * *");
        let name = format!("tenant-{number}");
        schedules.put(name, report, daily, ()).await.unwrap();
    }
    let (mut names, mut pages) = (Vec::new(), 0);
    let mut path = "/schedules?next=100".to_owned();
    loop {
        let (status, listed) = asked(&harness, "GET", &path).await;
        assert_eq!(status, 200);
        let page = listed["schedules"].as_array().unwrap();
        assert!(page.len() <= 50);
        assert!(
            page.iter()
                .all(|one| one["next"].as_array().unwrap().len() == 100)
        );
        names.extend(page.iter().map(|one| one["name"].to_string()));
        pages += 1;
        match listed["next"].as_str() {
            Some(next) => path = format!("/schedules?next=100&after={next}"),
            None => break,
        }
    }
    assert_eq!((names.len(), pages), (121, 3));
    assert!(names.is_sorted());
}

fn program(place: &SqliteFile, arguments: &[&str]) -> (bool, String) {
    let url = format!("sqlite://{}", place.path().display());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_belts-program"))
        .args(["--store", &url, "schedules"])
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_does_the_same_on_a_store() {
    use belts::testing::Reopen as _;
    let place = SqliteFile::temporary();
    drop(place.open().await.unwrap());
    let put = [
        "put",
        "tenant-7",
        "shown-report",
        "--cron",
        "0 9 * * *",
        "--tz",
        "Europe/Berlin",
        "--data",
        "7",
    ];
    assert_eq!(program(&place, &put), (true, "put tenant-7\n".to_owned()));
    let (_, listed) = program(&place, &[]);
    assert!(
        listed.contains("tenant-7") && listed.contains("0 9 * * * (Europe/Berlin)"),
        "{listed}"
    );
    let (_, next) = program(&place, &["next", "tenant-7", "-n", "3"]);
    assert_eq!(next.lines().count(), 4, "{next}");
    assert_eq!(
        program(&place, &["pause", "tenant-7"]),
        (true, "paused tenant-7\n".to_owned())
    );
    assert_eq!(
        program(&place, &["pause", "tenant-7"]).1,
        "tenant-7 was paused before\n"
    );
    assert_eq!(
        program(&place, &["resume", "tenant-7"]).1,
        "resumed tenant-7\n"
    );
    assert!(
        program(&place, &["trigger", "tenant-7"])
            .1
            .starts_with("triggered tenant-7: run ")
    );
    assert_eq!(
        program(&place, &["remove", "tenant-7"]).1,
        "removed tenant-7\n"
    );
    let (done, said) = program(&place, &["pause", "tenant-7"]);
    assert!(
        !done && said.contains("there is no schedule `tenant-7`"),
        "{said}"
    );
}
