//! Errors that are kept as values: [`Error::from_value`] writes one down, and [`Error::value`] reads it back.
//!
//! A recorded failure is texts. What stands beside them here is the error as its type writes it, so that code which knows the
//! type can tell one business failure from another, on the attempt that failed as on every later one.

use std::{any, error::Error as StdError};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    Error, Result,
    links::values,
    value::{ErrorValue, Valued},
};
use crate::{codec, panic, plain::Clean};

/// The most bytes of an error as JSON. A failure of 16 KiB is left out of lists.
const MOST: usize = 8 * 1024;

impl Error {
    /// An error of yours that comes back as what it is: [`value`](Self::value) reads it, behind a failed step and in the caller
    /// of a failed run, when it has just failed and whenever that is read from the journal.
    ///
    /// It is retried as any other; [`terminal`](crate::Terminal::terminal) behind it says that no retry can help, as with most
    /// business failures. [The guide](crate::guide::errors) has both ways to tell of these.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Terminal as _, step};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    /// enum PaymentError {
    ///     #[error("the card was declined")]
    ///     Declined,
    ///     #[error("{missing} cents are missing")]
    ///     Short { missing: u64 },
    /// }
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Bought { cents: u64 }
    ///
    /// #[belts::function(id = "pay", on = Bought)]
    /// async fn pay(bought: Bought) -> belts::Result<String> {
    ///     let paid = step!("charge", charge(bought.cents).map_err(belts::Error::from_value).terminal()).await;
    ///     match paid {
    ///         Ok(receipt) => Ok(receipt),
    ///         Err(error) => match error.value::<PaymentError>() {
    ///             Some(PaymentError::Short { missing }) => Ok(format!("please send {missing} more")),
    ///             _ => Err(error),
    ///         },
    ///     }
    /// }
    ///
    /// fn charge(cents: u64) -> Result<String, PaymentError> {
    ///     Err(PaymentError::Short { missing: cents - 100 })
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
    /// let executed = worker.execute(Bought { cents: 130 }).await?;
    /// assert_eq!(executed.output::<String>("pay")?, "please send 30 more");
    /// # Ok(()) }
    /// ```
    ///
    /// It is written as JSON into the journal, of at most 8 KiB, and shown to whoever may inspect the run; the log has its text
    /// alone. One that is larger, or would change when read back, is recorded as text, with a warning.
    pub fn from_value<E>(error: E) -> Self
    where
        E: StdError + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let value = panic::catch("to write the error", || kept(&error));
        let name = short_name::<E>();
        if let Err(reason) = &value {
            tracing::warn!(
                error_type = name, reason = %Clean(reason.report()),
                "an error is not kept as a value, and comes back as text alone"
            );
        }
        Self::failed(name, Valued::new(error, value.ok()))
    }

    /// The error that was given to [`from_value`](Self::from_value), if it was of this type: the first in the chain.
    ///
    /// What is recorded is known by the name of its type, without the path, and by its fields: a type may move to another module
    /// while runs are under way, but not change its name.
    ///
    /// ```
    /// # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
    /// # #[error("the shop is closed")]
    /// # struct Closed { until: u32 }
    /// let error = belts::Error::from_value(Closed { until: 9 });
    /// assert_eq!(error.value::<Closed>(), Some(Closed { until: 9 }));
    /// assert_eq!(error.report(), "Closed: the shop is closed");
    /// ```
    pub fn value<T: DeserializeOwned>(&self) -> Option<T> {
        let name = short_name::<T>();
        values(self)
            .filter(|value| value.type_name == name)
            .find_map(|value| {
                panic::quiet(|| serde_json::from_str(value.json.get()).ok()).flatten()
            })
    }
}

/// The error as JSON from which it comes back.
fn kept<E: Serialize + DeserializeOwned>(error: &E) -> Result<ErrorValue> {
    let mut json = Vec::new();
    let lost = codec::write_json(&mut json, error).map_err(Error::from_any)?;
    if !lost.is_nothing() {
        return Err(Error::from_any(lost.reason()));
    }
    if json.len() > MOST {
        let size = json.len();
        return Err(Error::from_any(format!(
            "it has {size} bytes, over the limit of {MOST}"
        )));
    }
    let misfit = |error: serde_json::Error| Error::from_any(codec::misfit(&error));
    let json: Box<RawValue> = serde_json::from_slice(&json).map_err(misfit)?;
    serde_json::from_str::<E>(json.get()).map_err(misfit)?;
    Ok(ErrorValue {
        type_name: short_name::<E>().to_owned(),
        json,
    })
}

/// The name of a type without its path and without what it is generic over.
fn short_name<T>() -> &'static str {
    let name = any::type_name::<T>();
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.rsplit_once("::").map_or(name, |(_, name)| name)
}
