//! What a failure handler is told of the run that failed.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    __private::unknown_type,
    error::{Error, ErrorKind, Result, failure::Failure},
    event::{EncodedEvent, EventSet, key::NotPublished},
    store::RunStatus,
};

/// The type of the events that start failure handlers.
pub(crate) const FAILED: &str = "belts.failed";

/// What a [failure handler](crate::guide::errors#when-a-run-has-failed-on_failure) is told: a run that has failed for good, or
/// [was cancelled](crate::guide::errors#cancelled-runs-as-well), the event that started it, and why.
///
/// ```rust,standalone_crate
/// use belts::{Event, Failed, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct OrderCreated { order_id: String }
///
/// #[belts::function(id = "process-order", on = OrderCreated)]
/// async fn process_order(order: OrderCreated) -> belts::Result<()> {
///     step!("charge", charge(&order)).await
/// }
///
/// #[belts::function(id = "order-failed", on_failure = process_order)]
/// async fn order_failed(failed: Failed<OrderCreated>) -> belts::Result<String> {
///     let text = format!("order {}: {}", failed.event.order_id, failed.error);
///     step!("tell the shop", text.clone()).await
/// }
///
/// # async fn charge(_: &OrderCreated) -> belts::Result<()> { Err(belts::terminal("the card is blocked")) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
/// // A test may call the handler like any function.
/// let error = belts::terminal("the card is blocked");
/// let failed = Failed::new(OrderCreated { order_id: "o-17".into() }, "process-order", "run-1", &error);
/// let told = order_failed(failed).via(&worker).await?;
/// assert_eq!(told, "order o-17: terminal error: the card is blocked");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failed<E> {
    /// The event that started the run.
    pub event: E,
    /// The run that ended.
    pub run_id: String,
    /// The id of its function.
    pub function_id: String,
    /// Why it failed: the [report](crate::Error::report) of the error, which [`cause`](Self::cause) has whole.
    pub error: String,
    /// The path of the step by which the run failed, if it was one: the step failed for good, or the error is about it.
    pub step: Option<String>,
    /// How the run ended: as failed, or as cancelled.
    pub status: RunStatus,
    /// How many attempts of the run failed; those of its steps do not count.
    pub attempts: u32,
    cause: Failure,
}

impl<E> Failed<E> {
    /// A run that failed with this error, in its first attempt. For tests of a handler; belts makes its own.
    pub fn new(
        event: E,
        function_id: impl Into<String>,
        run_id: impl Into<String>,
        error: &Error,
    ) -> Self {
        Self {
            event,
            run_id: run_id.into(),
            function_id: function_id.into(),
            error: error.report(),
            step: error.step().map(str::to_owned),
            status: RunStatus::Failed,
            attempts: 1,
            cause: Failure::of(error),
        }
    }

    /// The error with its kind and its sources, and with its [value](crate::Error::value) if it was made from one.
    pub fn cause(&self) -> Error {
        let error = self.cause.clone().into_error();
        match &self.step {
            Some(step) => error.with_step(&step.as_str().into()),
            None => error,
        }
    }
}

/// The payload of the event that starts a handler.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told<'a> {
    #[serde(borrow)]
    pub(crate) function_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) run_id: Cow<'a, str>,
    pub(crate) status: RunStatus,
    pub(crate) attempts: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<Cow<'a, str>>,
    pub(crate) error: Failure,
    #[serde(borrow)]
    pub(crate) event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event: &'a RawValue,
}

impl Told<'_> {
    pub(crate) fn to_payload(&self) -> Arc<[u8]> {
        let payload = serde_json::to_vec(self);
        payload
            .expect("texts and JSON can be written as JSON")
            .into()
    }
}

#[diagnostic::do_not_recommend]
impl<E: EventSet> EventSet for Failed<E> {
    type Key = NotPublished;

    const TYPES: &'static [&'static str] = &[FAILED];

    fn encode(&self) -> Result<EncodedEvent> {
        let event = self.event.encode()?;
        let json: &RawValue = serde_json::from_slice(&event.payload).map_err(|error| {
            Error::new(ErrorKind::Codec, "the event is not JSON").with_source(error)
        })?;
        let told = Told {
            function_id: Cow::Borrowed(&self.function_id),
            run_id: Cow::Borrowed(&self.run_id),
            status: self.status,
            attempts: self.attempts,
            step: self.step.as_deref().map(Cow::Borrowed),
            error: self.cause.clone(),
            event_type: Cow::Borrowed(&event.event_type),
            event: json,
        };
        Ok(EncodedEvent {
            event_type: FAILED.into(),
            payload: told.to_payload(),
            correlation_key: event.correlation_key,
        })
    }

    fn decode(event_type: &str, payload: &[u8]) -> Result<Self> {
        if event_type != FAILED {
            return Err(unknown_type(event_type, Self::TYPES));
        }
        let told: Told<'_> = serde_json::from_slice(payload).map_err(|error| {
            let text = "the event does not tell of a failed run";
            Error::new(ErrorKind::InvalidEvent, text).with_source(error)
        })?;
        let event = E::decode(&told.event_type, told.event.get().as_bytes())?;
        let mut failed = Self {
            event,
            run_id: told.run_id.into_owned(),
            function_id: told.function_id.into_owned(),
            error: String::new(),
            step: told.step.map(Cow::into_owned),
            status: told.status,
            attempts: told.attempts,
            cause: told.error,
        };
        failed.error = failed.cause().report();
        Ok(failed)
    }
}

/// What a failure handler takes.
#[diagnostic::on_unimplemented(
    message = "a failure handler takes `belts::Failed<…>`, not `{Self}`",
    label = "not a `belts::Failed<…>`",
    note = "write `failed: belts::Failed<OrderCreated>`, with the event of the function whose failures it handles"
)]
pub trait Handles {
    /// The types of the events that started the failed runs.
    const HANDLED: &'static [&'static str];
}

#[diagnostic::do_not_recommend]
impl<E: EventSet> Handles for Failed<E> {
    const HANDLED: &'static [&'static str] = E::TYPES;
}
