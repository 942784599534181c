//! Errors that are kept as values, and come back as what they were.

use std::{future::IntoFuture as _, sync::Mutex};

use anyhow::Context as _;
use belts::{
    Error, ErrorKind, Terminal as _, Worker,
    codec::{self, Decoded},
    step,
    store::{Memory, Sqlite, Store},
};
use belts_suite::log;
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, named, within};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum PaymentError {
    #[error("the card was declined")]
    Declined,
    #[error("{missing} cents are missing")]
    Short { missing: u64 },
    #[error("{0}")]
    Told(String),
}

/// With the same fields as a payment's.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum StockError {
    #[error("it is gone")]
    Declined,
}

fn short() -> Result<u32, PaymentError> {
    Err(PaymentError::Short { missing: 30 })
}

/// What each attempt of the function below made of its failed step.
static SEEN: Mutex<Vec<(String, Option<PaymentError>, bool)>> = Mutex::new(Vec::new());

/// The step has just failed at the first attempt, and is replayed at the second.
#[belts::function(id = "sees-a-typed-error-twice", on = Named, retries = 1, backoff = "1ms..1ms")]
async fn sees_twice(event: Named) -> belts::Result<()> {
    let charged = step!("charge", {
        effect(format!("charge of {}", event.name));
        short().map_err(Error::from_value).terminal()
    })
    .await;
    let error = charged.unwrap_err();
    SEEN.lock().unwrap().push((
        error.report(),
        error.value(),
        error.find::<PaymentError>().is_some(),
    ));
    Err(Error::from_any("once more"))
}

async fn sees_twice_on(store: impl Store) -> Vec<(String, Option<PaymentError>, bool)> {
    let builder = Worker::builder().store(store).function(sees_twice);
    let worker = builder.build().await.unwrap();
    let call = sees_twice(named("typed")).via(&worker);
    within("the run", call.into_future()).await.unwrap_err();
    std::mem::take(&mut SEEN.lock().unwrap())
}

/// `find` never found a recorded error, and the text was all there was to go by.
#[tokio::test]
async fn a_typed_error_is_the_same_on_the_attempt_that_failed_and_on_replay() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(directory.path().join("typed.db"));
    let in_memory = sees_twice_on(Memory::new()).await;
    let on_disk = sees_twice_on(sqlite.await.unwrap()).await;
    let report = "step `charge` failed: terminal error: PaymentError: 30 cents are missing";
    let value = Some(PaymentError::Short { missing: 30 });
    for seen in [in_memory, on_disk] {
        let each = (report.to_owned(), value.clone(), false);
        assert_eq!(seen, [each.clone(), each]);
    }
    // Each of the two runs charged once.
    assert_eq!(effects("charge of typed"), 2);
}

#[belts::function(id = "fails-with-a-typed-error", on = Named, retries = 0)]
async fn fails(event: Named) -> anyhow::Result<()> {
    match &*event.name {
        "of the function" => {
            Err(Error::from_value(PaymentError::Declined)).context("while paying")?
        }
        "of a step" => step!("pay", short().map_err(Error::from_value), retries = 0)
            .await
            .context("while paying")?,
        "of a step that was retried" => {
            step!(
                "pay at last",
                short().map_err(Error::from_value),
                retries = 1,
                backoff = "1ms..1ms"
            )
            .await?
        }
        _ => step!("pay as text", short(), retries = 0).await?,
    };
    Ok(())
}

async fn failure_of(what: &str) -> Error {
    let builder = Worker::builder().store(Memory::new()).function(fails);
    let worker = builder.build().await.unwrap();
    let call = fails(named(what)).via(&worker);
    within("the run", call.into_future()).await.unwrap_err()
}

#[tokio::test]
async fn whoever_calls_a_function_has_the_typed_error_too() {
    let error = failure_of("of the function").await;
    assert_eq!(error.value(), Some(PaymentError::Declined));
    for what in ["of a step", "of a step that was retried"] {
        let error = failure_of(what).await;
        assert_eq!(error.kind(), ErrorKind::StepFailed);
        let missing = 30;
        assert_eq!(
            error.value(),
            Some(PaymentError::Short { missing }),
            "{what}"
        );
    }
    let error = failure_of("as text").await;
    assert_eq!(error.value::<PaymentError>(), None);
    assert!(error.report().contains("30 cents are missing"));
}

#[test]
fn an_error_is_not_taken_for_one_of_another_type() {
    let error = Error::from_value(PaymentError::Declined);
    assert_eq!(error.value::<StockError>(), None);
    assert_eq!(error.value(), Some(PaymentError::Declined));
    assert!(error.find::<PaymentError>().is_some());
    assert!(error.is_retryable());
    let found = Error::from_any(PaymentError::Declined);
    assert!(found.find::<PaymentError>().is_some());
    assert_eq!(found.value::<PaymentError>(), None);
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("it is {amount}")]
struct Odd {
    amount: f64,
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("it lost something")]
struct Forgetful {
    #[serde(skip_serializing)]
    all: u32,
}

#[test]
fn an_error_that_would_not_come_back_is_text_alone_and_told_of() {
    log::keep();
    let told = |what: &str| log::lines_with(&["WARN", "not kept as a value", what]);
    let large = PaymentError::Told("x".repeat(9000));
    assert_eq!(Error::from_value(large).value::<PaymentError>(), None);
    assert_eq!(told("over the limit of 8192").len(), 1);
    let error = Error::from_value(Odd { amount: f64::NAN });
    assert!(error.value::<Odd>().is_none());
    assert_eq!(error.report(), "Odd: it is NaN");
    assert_eq!(told("error_type=Odd").len(), 1);
    assert!(
        Error::from_value(Forgetful { all: 7 })
            .value::<Forgetful>()
            .is_none()
    );
    assert_eq!(told("error_type=Forgetful").len(), 1);
}

#[test]
fn a_failure_that_was_recorded_before_errors_were_kept_is_read() {
    let old = br#"{"v":1,"err":{"kind":"failed","message":"offline","sources":["no route"]}}"#;
    let Decoded::Err(failure) = codec::decode::<u32>(old).unwrap() else {
        panic!("it is a failure");
    };
    assert_eq!(failure.value, None);
    // As it was, for a version before.
    assert_eq!(&*codec::encode_err(&failure), old);
    let kept = codec::Failure::of(&Error::from_value(PaymentError::Short { missing: 3 }));
    let written = codec::encode_err(&kept);
    let text = std::str::from_utf8(&written).unwrap();
    assert!(
        text.contains(r#""value":{"type":"PaymentError","json":{"Short":{"missing":3}}}"#),
        "{text}"
    );
    assert_eq!(codec::decode::<u32>(&written).unwrap(), Decoded::Err(kept));
}

#[belts::function(id = "fails-with-a-secret", on = Named, retries = 0)]
async fn secretive(_event: Named) -> belts::Result<()> {
    #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    #[error("refused")]
    struct Refused {
        token: String,
    }
    let refused = || {
        Err::<(), _>(Refused {
            token: "hunter2".to_owned(),
        })
    };
    step!("ask", refused().map_err(Error::from_value), retries = 0).await
}

#[tokio::test]
async fn the_log_has_the_text_of_a_typed_error_and_not_its_fields() {
    log::keep();
    let builder = Worker::builder().store(Memory::new()).function(secretive);
    let worker = builder.build().await.unwrap();
    let call = secretive(named("secretive"))
        .run_id("secretive")
        .via(&worker);
    let error = within("the run", call.into_future()).await.unwrap_err();
    assert_eq!(
        log::lines_with(&["run=secretive", "Refused: refused"]).len(),
        2
    );
    assert_eq!(log::lines_with(&["hunter2"]), [""; 0]);
    let record = worker.runs().get("secretive").await.unwrap();
    let failure = record.failure().unwrap();
    assert!(failure.value.is_some());
    assert!(!format!("{failure:?} {error:?} {record:?}").contains("hunter2"));
}
