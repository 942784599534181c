//! What completes a callback, and types that make trouble.

use belts::{
    ErrorKind, callback,
    store::{NewEvent, Publish, Wait},
};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, harness_of, named, only};

/// Reads what it likes, and panics over the rest.
#[derive(Debug, PartialEq, Serialize)]
struct Picky(String);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert_eq!(text, "nice", "it is not nice");
        Ok(Self(text))
    }
}

#[belts::function(id = "z-callback-picky", on = Named, retries = 0)]
async fn picky(_: Named) -> belts::Result<Picky> {
    callback!("answer", Picky).await?.result().await
}

#[tokio::test]
async fn a_type_that_panics_refuses_its_value_and_tells_nobody() {
    let harness = harness_of(picky).await;
    let run = harness.run(picky, named("picky")).await.unwrap();
    let id = run.callback("answer").unwrap();
    let error = harness.complete(id.clone(), "secret").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert!(!error.report().contains("secret"), "{}", error.report());
    // A program that does not know the type lets it through.
    let store = harness.store().shared();
    let event = NewEvent::new(
        "picky",
        "belts.callback",
        *br#"{"value":"secret"}"#,
        harness.now(),
    );
    let key = run.journal().iter().find_map(|entry| match &entry.wait {
        Some(Wait::Event { key, .. }) => key.clone(),
        _ => None,
    });
    let event = event.with_correlation_key(key.unwrap());
    let publish = Publish::new(vec![event], harness.now());
    store.publish(publish).await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(picky).await);
    assert_eq!(run.error().unwrap().kind(), ErrorKind::InvalidEvent);
}

#[belts::function(id = "z-callback-twins", on = Named)]
async fn twins(_: Named) -> belts::Result<(u32, String)> {
    let number = {
        #[derive(Deserialize)]
        struct Answer {
            number: u32,
        }
        callback!("number", Answer).await?.result().await?.number
    };
    let text = {
        #[derive(Deserialize)]
        struct Answer {
            text: String,
        }
        callback!("text", Answer).await?.result().await?.text
    };
    Ok((number, text))
}

/// Their names are the same, as far as the compiler tells.
#[tokio::test]
async fn types_of_one_name_take_each_their_own() {
    let harness = harness_of(twins).await;
    let run = harness.run(twins, named("twins")).await.unwrap();
    let id = run.callback("number").unwrap();
    harness
        .complete(id, &serde_json::json!({"number": 7}))
        .await
        .unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(twins).await);
    let id = run.callback("text").unwrap();
    harness
        .complete(id, &serde_json::json!({"text": "seven"}))
        .await
        .unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(twins).await);
    assert_eq!(run.output().unwrap(), (7, "seven".to_owned()));
}
