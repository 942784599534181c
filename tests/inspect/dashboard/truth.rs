//! What the pages say is so: of runs that are over, undone or left alone, and of what a press of a button does.

use std::{future::IntoFuture as _, time::Duration};

use belts::{
    Clock as _, Event, SystemClock, Worker, callback,
    http::Access,
    step,
    store::{
        Capacity, Claim, FunctionCapacity, Memory, NewEvent, Publish, Register, RunStatus, Store,
        Subscription,
    },
};
use belts_suite::a_moment;
use serde::{Deserialize, Serialize};

use super::browser::{Browser, TOKEN, builder};
use crate::shop;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Sealed {
    n: u32,
}

#[belts::function(id = "z-seals", on = Sealed)]
async fn seals(sealed: Sealed) -> belts::Result<String> {
    let first = callback!("first", String).await?;
    let second = callback!("second", String).await?;
    step!("tell", sealed.n).await?;
    let said = first.result().await?;
    Ok(said + &second.result().await?)
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Stocked {
    n: u32,
}

#[belts::function(id = "z-stocks", on = Stocked)]
async fn stocks(stocked: Stocked) -> belts::Result<()> {
    step!("reserve", stocked.n, undo = |_: u32| async {}).await?;
    Err(belts::terminal("no room"))
}

async fn waiting(worker: &Worker) -> String {
    let published = publish_sealed(Sealed { n: 1 }).via(worker).await.unwrap();
    let id = published.runs[0].run_id.clone();
    shop::until(worker, &id, RunStatus::Suspended).await;
    id
}

#[tokio::test]
async fn each_callback_is_offered_where_it_is_waited_for() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let id = waiting(&worker).await;
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get(&format!("/ui/runs/{id}")).await.good();
    page.says("Complete first…");
    page.hides("Complete second…");
    let links = page.attributes("href");
    let of = |step: &str| {
        let step = format!("step={step}");
        let mut links = links.iter();
        links.by_ref().filter(|link| link.ends_with(&step)).count()
    };
    assert_eq!((of("first"), of("second")), (2, 1), "and at its own step");
}

#[tokio::test]
async fn what_was_refused_is_noted_as_that() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let id = waiting(&worker).await;
    let browser = Browser::signed_in(&worker).await;
    browser.get(&format!("/ui/runs/{id}")).await.good();
    let fields = [("run", &*id), ("step", "first"), ("value", "5")];
    let refused = browser.post("/ui/complete", &fields).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let run = worker.runs().get(&id).await.unwrap();
    let notes: Vec<_> = run.notes.iter().map(|note| &*note.action).collect();
    assert_eq!(notes, ["complete first", "complete first: refused"]);
}

#[tokio::test]
async fn a_run_that_is_over_waits_for_nothing() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let id = waiting(&worker).await;
    worker.runs().cancel(&id).await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get(&format!("/ui/runs/{id}")).await.good();
    for untrue in ["waits for", "Complete", "Why it is not running", "goes on"] {
        page.hides(untrue);
    }
    let run = browser.json(&format!("/ui/runs/{id}")).await.good().json();
    let steps = run["steps"].as_array().unwrap();
    let waits = steps.iter().find(|step| step["path"] == "first/result");
    let waits = waits.unwrap();
    assert_eq!(waits["left"], true, "{waits}");
    assert!(waits.get("waiting").is_none(), "{waits}");
    let fields = [("run", &*id), ("step", "first"), ("value", "\"a\"")];
    let late = browser.post("/ui/complete", &fields).await;
    assert_eq!(late.status, 404, "{}", late.body);
    assert_eq!(worker.runs().get(&id).await.unwrap().notes.len(), 1);
}

#[tokio::test]
async fn a_run_whose_worker_is_gone_is_not_said_to_be_driven() {
    let store = Memory::new();
    let long_ago = SystemClock.now().before(Duration::from_secs(300));
    let wants = vec![Subscription::new("z-gone", ["gone"])];
    let register = Register::new(long_ago, Duration::from_secs(1)).with_subscriptions(wants);
    let session = store.register(register).await.unwrap();
    let event = NewEvent::new("e-1", "gone", *b"{}", long_ago);
    let published = store
        .publish(Publish::new(vec![event], long_ago))
        .await
        .unwrap();
    let capacity = Capacity::new(session, 1, [FunctionCapacity::new("z-gone", 1)]);
    store.claim(Claim::new(capacity, long_ago)).await.unwrap();
    let id = published[0].runs[0].run_id.clone();
    let builder = Worker::builder().store(store).publish_only();
    let worker = builder.inspection_token(TOKEN).build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get(&format!("/ui/runs/{id}")).await.good();
    page.says("Why it is not running");
    page.says("The worker that drove it is gone.");
    page.hides("A worker drives it now");
}

#[tokio::test]
async fn a_rerun_says_that_what_was_undone_is_done_again_and_is_asked_once() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let published = publish_stocked(Stocked { n: 3 }).via(&worker).await;
    let id = published.unwrap().runs[0].run_id.clone();
    shop::until(&worker, &id, RunStatus::Failed).await;
    let browser = Browser::signed_in(&worker).await;
    let question = browser.get(&format!("/ui/rerun?run={id}")).await.good();
    question.says("had been undone, and what was undone is done again");
    let (_, rest) = question.body.split_once("name=\"ended\" value=\"").unwrap();
    let ended = rest.split_once('"').unwrap().0.to_owned();
    // Somebody else is quicker, and it fails anew.
    a_moment().await;
    worker.runs().rerun(&id).await.unwrap();
    shop::until(&worker, &id, RunStatus::Failed).await;
    let fields = [("run", &*id), ("ended", &*ended)];
    let late = browser.post("/ui/rerun", &fields).await;
    assert_eq!(late.status, 409, "{}", late.body);
    late.says("somebody has run it again since this was asked");
    let wrong = format!("/ui/rerun?run={id}&from=nothing");
    assert_eq!(browser.get(&wrong).await.status, 404);
}

#[tokio::test]
async fn a_change_has_no_query_and_its_outcome_is_not_asked_for_again() {
    let worker = builder().build().await.unwrap();
    for _ in 0..2 {
        let waited = shop::Waited {
            shop: "ui-truth".to_owned(),
        };
        shop::publish_waited(waited).via(&worker).await.unwrap();
    }
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui/publish").await.good();
    let wider = [("status", "pending")];
    let refused = browser.post("/ui/cancel?function=other", &wider).await;
    assert_eq!(refused.status, 400);
    let page = browser.post("/ui/cancel", &wider).await.good();
    page.says("Cancelled 2 runs");
    page.hides("data-mark");
    page.hides("id=\"live\"");
}

#[tokio::test]
async fn filters_that_come_several_times_stay() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui/runs?tag=a%3D1&tag=b%3D2&status=failed&status=cancelled");
    let page = page.await.good();
    page.says("name=\"tag\" value=\"a=1\"");
    page.says("name=\"tag\" value=\"b=2\"");
    page.says("<option value=\"failed,cancelled\" selected>");
    // What is undone cannot be cancelled.
    let open = "pending,running,suspended,stopped,undoing";
    let path = format!("/ui/runs?status={open}&tag=a%3D1");
    let page = browser.get(&path).await.good();
    let links = page.attributes("href");
    let link = links.iter().find(|link| link.starts_with("cancel?"));
    let link = link.unwrap();
    assert!(
        link.contains("stopped") && !link.contains("undoing"),
        "{link}"
    );
}

#[tokio::test]
async fn a_run_as_json_says_that_its_function_is_paused() {
    let worker = builder().build().await.unwrap();
    let waited = shop::Waited {
        shop: "ui-paused".to_owned(),
    };
    let published = shop::publish_waited(waited).via(&worker).await.unwrap();
    let id = &published.runs[0].run_id;
    worker.functions().pause("wait").await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let run = browser.json(&format!("/ui/runs/{id}")).await.good().json();
    assert!(run["functionPausedAt"].is_string(), "{run}");
    let list = browser.json(&format!("/ui/runs?id={id}")).await.good();
    assert_eq!(list.json()["runs"][0]["runId"], **id);
}

#[tokio::test]
async fn nobody_is_led_to_another_question_by_signing_in() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::of(&worker);
    let asked = browser.get("/ui/runs?status=failed").await;
    assert_eq!(asked.status, 401);
    asked.says("name=\"to\" value=\"runs?status=failed\"");
    let sent = browser.post("/ui/cancel", &[("run", "failed")]).await;
    assert_eq!(sent.status, 401);
    sent.hides("name=\"to\"");
}

#[tokio::test]
async fn what_caches_keep_for_everybody_has_no_cookie() {
    let builder = builder().access(|_| Access::Operate);
    let worker = builder.build().await.unwrap();
    for asset in ["style.css", "script.js", "icon.svg"] {
        let answer = Browser::of(&worker).get(&format!("/ui/{asset}")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (200, ""));
    }
    let page = Browser::of(&worker).get("/ui/runs").await.good();
    assert!(page.header("set-cookie").contains("belts-ui-form"));
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Queued {
    account: u32,
}

#[belts::function(id = "z-queues", on = Queued, concurrency(limit = 1, key = |e| e.account))]
async fn queues(queued: Queued) -> belts::Result<u32> {
    let Queued { account: _ } = queued;
    step!("hold", std::future::pending::<u32>()).await
}

#[tokio::test]
async fn a_run_without_a_place_says_of_which_limit() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let publish = || {
        publish_queued(Queued { account: 7 })
            .via(&worker)
            .into_future()
    };
    let first = publish().await.unwrap().runs[0].run_id.clone();
    shop::until(&worker, &first, RunStatus::Running).await;
    let second = publish().await.unwrap().runs[0].run_id.clone();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get(&format!("/ui/runs/{second}")).await.good();
    page.says("It waits for a place: concurrency account=7 1/1.");
    page.hides("waits for a worker that has room");
}
