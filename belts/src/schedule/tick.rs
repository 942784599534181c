//! What a function that is started by the clock is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    __private::unknown_type,
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    event::{EncodedEvent, EventSet, key::NotPublished},
};

/// The type of the events that start functions with a schedule.
pub(crate) const TICK: &str = "belts.tick";

/// What a function with a [schedule](crate::guide::schedules) takes in place of an event: the moment for which its run was planned.
///
/// ```rust,standalone_crate
/// use belts::{Tick, Timestamp, step};
///
/// #[belts::function(id = "daily-report", cron = "0 9 * * MON-FRI", tz = "Europe/Berlin")]
/// async fn daily_report(tick: Tick) -> belts::Result<String> {
///     let since = tick.previous().map_or("ever".into(), |previous| previous.to_string());
///     step!("write", format!("from {since} to {}", tick.scheduled_at())).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
/// // A test or another function may call it like any function.
/// let tick = Tick::new(Timestamp::from_millis(1_735_804_800_000));
/// let report = daily_report(tick).via(&worker).await?;
/// assert_eq!(report, "from ever to 2025-01-02T08:00:00Z");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tick {
    scheduled_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Timestamp>,
    #[serde(default)]
    missed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

impl PartialEq for Tick {
    fn eq(&self, other: &Self) -> bool {
        let data = |tick: &Self| tick.data.as_ref().map(|data| data.get().to_owned());
        (
            self.scheduled_at,
            self.previous,
            self.missed,
            &self.schedule,
        ) == (
            other.scheduled_at,
            other.previous,
            other.missed,
            &other.schedule,
        ) && data(self) == data(other)
    }
}

impl Eq for Tick {}

impl Tick {
    /// The first tick of a schedule, at this moment, of which none was missed.
    pub fn new(scheduled_at: impl Into<Timestamp>) -> Self {
        Self {
            scheduled_at: scheduled_at.into(),
            previous: None,
            missed: 0,
            schedule: None,
            data: None,
        }
    }

    /// Sets the tick that started the run before.
    #[must_use]
    pub fn with_previous(mut self, previous: impl Into<Timestamp>) -> Self {
        self.previous = Some(previous.into());
        self
    }

    /// Sets how many ticks were missed.
    #[must_use]
    pub fn with_missed(mut self, missed: u32) -> Self {
        self.missed = missed;
        self
    }

    /// Sets the name of the schedule.
    #[must_use]
    pub fn with_schedule(mut self, name: impl Into<Arc<str>>) -> Self {
        self.schedule = Some(name.into());
        self
    }

    /// Sets what the schedule was [put](crate::Schedules::put) with.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn with_data(mut self, data: &impl Serialize) -> Result<Self> {
        self.data = to_json(data)?;
        Ok(self)
    }

    pub(crate) fn with_json(mut self, data: Option<Box<RawValue>>) -> Self {
        self.data = data;
        self
    }

    /// The moment for which the run was planned, whenever it begins. One that was triggered by hand was planned for that moment.
    pub fn scheduled_at(&self) -> Timestamp {
        self.scheduled_at
    }

    /// The moment of the last run that was started before this one, by a tick or [triggered](crate::Schedules::trigger_now), whatever
    /// became of it: what has happened since is for this run, also where ticks between the two fell out. `None` for the first, and for
    /// the next one after a clock that was ahead is set back.
    pub fn previous(&self) -> Option<Timestamp> {
        self.previous
    }

    /// How many ticks fell out before this one, since no worker was there at their time.
    pub fn missed(&self) -> u32 {
        self.missed
    }

    /// The name of the schedule: the id of the function where its attribute has it, or the one that it was
    /// [put](crate::Schedules::put) under. Empty for a tick that a call was made with.
    pub fn schedule(&self) -> &str {
        self.schedule.as_deref().unwrap_or_default()
    }

    /// What the schedule was [put](crate::Schedules::put) with; `Option<T>` where it may have been put with nothing, `()`.
    ///
    /// # Errors
    /// It is not a `T`; the error is not retried, and names the place that does not fit.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        let json = self.data.as_ref().map_or("null", |data| data.get());
        let mut reader = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let text = format!(
                "the data of the schedule `{}` is no `{}`: at `{}`",
                self.schedule(),
                std::any::type_name::<T>(),
                error.path()
            );
            Error::new(ErrorKind::InvalidEvent, text).with_source(error.into_inner())
        })
    }
}

/// What a schedule is put with; nothing for `null`.
pub(crate) fn to_json(data: &impl Serialize) -> Result<Option<Box<RawValue>>> {
    let json = serde_json::value::to_raw_value(data).map_err(|error| {
        Error::new(
            ErrorKind::Codec,
            "the data of a schedule cannot be written as JSON",
        )
        .with_source(error)
    })?;
    Ok(Some(json).filter(|json| json.get() != "null"))
}

#[diagnostic::do_not_recommend]
impl EventSet for Tick {
    type Key = NotPublished;

    const TYPES: &'static [&'static str] = &[TICK];

    fn encode(&self) -> Result<EncodedEvent> {
        let payload = serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Codec, "a tick cannot be written").with_source(error)
        })?;
        Ok(EncodedEvent {
            event_type: TICK.into(),
            payload: payload.into(),
            correlation_key: None,
        })
    }

    fn decode(event_type: &str, payload: &[u8]) -> Result<Self> {
        if event_type != TICK {
            return Err(unknown_type(event_type, Self::TYPES));
        }
        serde_json::from_slice(payload).map_err(|error| {
            Error::new(
                ErrorKind::InvalidEvent,
                "the event is no tick of a schedule",
            )
            .with_source(error)
        })
    }
}

/// What a function with a schedule takes.
#[diagnostic::on_unimplemented(
    message = "a function with a schedule takes `belts::Tick`, not `{Self}`",
    label = "not a `belts::Tick`",
    note = "write `tick: belts::Tick`; what else it needs it takes as `belts::State<…>`, or as the data of a schedule"
)]
pub trait Ticks {}

impl Ticks for Tick {}
