//! Events published to a harness, and events published by its functions.

use std::sync::Arc;

use serde::Serialize;

use super::Harness;
use crate::{
    error::Result,
    event::{self, Event, EventSet},
    publish::Publish,
    testing::diff::diff,
};

impl Harness {
    /// Publishes an event as `publish_*` does, with the same options. Nothing runs until [`settle`](Self::settle) or
    /// [`travel`](Self::travel).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is handed over, as to the `publish_*` helpers"
    )]
    pub fn publish<E: EventSet>(&self, event: E) -> Publish {
        Publish::new(event::checked(&event)).via(&self.worker())
    }

    /// Completes a callback, as whoever has its URL would; [`TestRun::callback`](super::TestRun::callback) returns the id. Nothing runs
    /// until [`settle`](Self::settle) or [`travel`](Self::travel).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, callback, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Filed { cents: u64 }
    ///
    /// #[belts::function(id = "expense", on = Filed)]
    /// async fn expense(_: Filed) -> belts::Result<bool> {
    ///     callback!("approval", bool).await?.result().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// let run = harness.run(expense, Filed { cents: 1290 }).await?;
    /// harness.complete(run.callback("approval")?, &true).await?;
    /// harness.settle().await?;
    /// assert!(harness.runs_of(expense).await?[0].output()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`CallbackHandle::complete`](crate::CallbackHandle::complete).
    pub async fn complete<T: Serialize + ?Sized>(
        &self,
        callback: impl Into<Arc<str>>,
        value: &T,
    ) -> Result<()> {
        self.worker().callback(callback).complete(value).await
    }

    /// The events of one type that were published so far, in order, by tests and by steps, including those that
    /// [`run`](Self::run) delivered.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Paid { cents: u64 }
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    /// struct Thanked { cents: u64 }
    ///
    /// #[belts::function(id = "thank", on = Paid)]
    /// async fn thank(paid: Paid) -> belts::Result<()> {
    ///     step!("thank", async { publish_thanked(Thanked { cents: paid.cents }).await.map(drop) }).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// harness.publish(Paid { cents: 500 }).await?;
    /// harness.settle().await?;
    /// assert_eq!(harness.published::<Thanked>()?, [Thanked { cents: 500 }]);
    /// harness.assert_events(&["paid", "thanked"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A published event of this type cannot be read as an `E`.
    pub fn published<E: Event>(&self) -> Result<Vec<E>> {
        let events = self.life().faults.events();
        events
            .iter()
            .filter(|event| &*event.event_type == E::TYPE)
            .map(|event| E::decode(&event.event_type, &event.payload))
            .collect()
    }

    /// Asserts the types of all events that were published so far, in order; see [`published`](Self::published).
    ///
    /// # Panics
    /// They differ; the message shows the difference.
    #[track_caller]
    pub fn assert_events(&self, expected: &[&str]) {
        let events = self.life().faults.events();
        let types: Vec<_> = events.iter().map(|event| &*event.event_type).collect();
        assert!(
            types == expected,
            "the published events are not as expected:\n{}",
            diff("published", expected, &types),
        );
    }
}
