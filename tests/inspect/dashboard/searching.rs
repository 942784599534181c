//! Few runs among many: a page looks at some of them, and says that it has stopped.

use std::{sync::Arc, time::Duration};

use belts::{
    Timestamp, Worker,
    store::{Memory, NewEvent, Publish, Register, SharedStore, Store as _, Subscription},
};
use belts_suite::Hooked;

use super::browser::{Browser, TOKEN};

/// More than a page looks at between two looks at the time.
const MANY: usize = 21_000;

async fn many() -> SharedStore {
    let store = Memory::new();
    let now = Timestamp::from_millis(0);
    let wants = Subscription::new("busy", ["b"]);
    let rare = Subscription::new("rare", ["r"]);
    let register = Register::new(now, Duration::from_secs(1));
    store
        .register(register.with_subscriptions(vec![wants, rare]))
        .await
        .unwrap();
    let event = |number: usize| {
        let event_type = if number == 0 { "r" } else { "b" };
        NewEvent::new(format!("e-{number}"), event_type, *b"{}", now)
    };
    store
        .publish(Publish::new((0..MANY).map(event).collect(), now))
        .await
        .unwrap();
    Arc::new(store)
}

/// A worker whose store takes its time for each list.
async fn slow() -> Worker {
    let store = Hooked::new(many().await, |method| {
        Box::pin(async move {
            if method == "list" {
                let never = std::future::pending::<()>();
                drop(tokio::time::timeout(Duration::from_millis(100), never).await);
            }
            Ok(())
        })
    });
    let builder = Worker::builder().shared_store(store).publish_only();
    builder.inspection_token(TOKEN).build().await.unwrap()
}

#[tokio::test]
async fn a_search_stops_when_its_time_is_over_and_goes_on_when_it_is_asked() {
    let browser = Browser::signed_in(&slow().await).await;
    let mut path = "/ui/runs?function=rare".to_owned();
    let mut stops = 0;
    loop {
        let page = browser.get(&path).await.good();
        if page.body.contains("class=\"id\"") {
            page.hides("The search has stopped here");
            break;
        }
        page.says("The search has stopped here");
        page.says("Search older runs");
        page.hides("No run matches");
        let next = page
            .attributes("href")
            .into_iter()
            .find(|it| it.contains("page="))
            .unwrap();
        assert!(next.contains("function=rare"), "{next}");
        path = format!("/ui/{next}");
        stops += 1;
    }
    assert_eq!(stops, 2);
}

#[tokio::test]
async fn more_runs_than_are_counted_are_said_to_be_more() {
    let builder = Worker::builder().shared_store(many().await).publish_only();
    let worker = builder.inspection_token(TOKEN).build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser
        .get("/ui/cancel?function=busy")
        .await
        .good()
        .says("+</strong> of these have not ended");
    let fields = [("function", "busy")];
    let part = browser.post("/ui/cancel", &fields).await.good();
    part.says("Cancel the next part");
    let overview = browser.get("/ui").await.good();
    overview.says("1,000+");
    overview.says("no worker");
}
