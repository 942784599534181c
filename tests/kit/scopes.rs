//! Harnesses side by side: each hears of what its own code publishes, and of nothing else.

use axum::{Router, body::Body, http::Request, routing::post};
use belts::{Event, step, testing::Harness};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(type = "scopes-signed-up")]
struct SignedUp {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(type = "scopes-welcomed")]
struct Welcomed {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(type = "scopes-failed")]
struct Failed {
    function: String,
}

#[belts::function(id = "scopes-welcome", on = SignedUp)]
async fn welcome(signed_up: SignedUp) -> belts::Result<String> {
    let name = signed_up.name;
    if name.is_empty() {
        return Err(belts::terminal("nobody"));
    }
    step!("tell", publish_welcomed(Welcomed { name: name.clone() })).await?;
    Ok(name)
}

/// What an application has beside its functions; it knows no worker.
async fn sign_up(name: String) -> belts::Result<()> {
    publish_signed_up(SignedUp { name }).await.map(drop)
}

fn named(names: &[&str]) -> Vec<SignedUp> {
    let signed_up = names.iter().map(|name| SignedUp {
        name: (*name).to_owned(),
    });
    signed_up.collect()
}

/// `install()` is for the whole process: of parallel tests the last one had the events of all.
#[tokio::test]
async fn harnesses_of_parallel_tests_do_not_disturb_each_other() {
    let (ada, bob) = (Harness::new().await.unwrap(), Harness::new().await.unwrap());
    // What is installed counts for neither.
    ada.worker().install();
    let turn = async |harness: &Harness, name: &str| {
        let sign_ups = async {
            for _ in 0..3 {
                sign_up(name.to_owned()).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        harness.scope(sign_ups).await;
        harness.settle().await.unwrap();
    };
    tokio::join!(turn(&ada, "Ada"), turn(&bob, "Bob"));
    for (harness, name) in [(&ada, "Ada"), (&bob, "Bob")] {
        assert_eq!(harness.published::<SignedUp>().unwrap(), named(&[name; 3]));
        let welcomed = harness.published::<Welcomed>().unwrap();
        assert_eq!(welcomed.len(), 3);
        assert!(welcomed.iter().all(|welcomed| welcomed.name == name));
    }
}

#[tokio::test]
async fn a_handler_publishes_through_the_harness_that_asks_it() {
    let harness = Harness::new().await.unwrap();
    let app = Router::new().route(
        "/sign-up",
        post(async || sign_up("Cy".into()).await.unwrap()),
    );
    let app = app.nest("/belts", harness.router());
    let request = Request::post("/sign-up").body(Body::empty()).unwrap();
    let answer = harness.scope(app.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(harness.published::<SignedUp>().unwrap(), named(&["Cy"]));
}

#[tokio::test]
async fn the_innermost_scope_counts_and_a_call_is_made_in_it_too() {
    let (outer, inner) = (Harness::new().await.unwrap(), Harness::new().await.unwrap());
    let nested = outer.scope(async {
        inner.scope(sign_up("Di".into())).await.unwrap();
        let event = SignedUp { name: "Ed".into() };
        welcome(event).await.unwrap()
    });
    assert_eq!(nested.await, "Ed");
    assert_eq!(inner.published::<SignedUp>().unwrap(), named(&["Di"]));
    assert_eq!(outer.published::<SignedUp>().unwrap(), named(&["Ed"]));
}

#[tokio::test]
async fn what_the_error_hook_publishes_goes_through_the_worker_of_the_run() {
    let builder = Harness::builder().worker(|worker| {
        worker.on_error(|failure| async move {
            let function = failure.function_id;
            publish_failed(Failed { function }).await.unwrap();
        })
    });
    let harness = builder.build().await.unwrap();
    let nobody = SignedUp {
        name: String::new(),
    };
    harness.run(welcome, nobody).await.unwrap().assert_failed();
    let failed = harness.published::<Failed>().unwrap();
    assert_eq!(failed[0].function, "scopes-welcome");
}
