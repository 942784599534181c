//! What a function says of itself while it runs: its status, and the heartbeats of its steps.

use std::{
    future::{Future, pending, poll_fn},
    sync::Arc,
    task::Poll,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    beats::Attempt,
    context::Context,
    current::{CURRENT_ARM, CURRENT_RUN, CURRENT_STEP},
    races::Arm,
    run::LiveRun,
};
use crate::{
    codec,
    error::{Error, ErrorKind, Result},
    run::{Setting, SettingVerdict},
};

impl Context {
    /// Shows a small value to whoever watches the run: [`RunHandle::status_value`](crate::RunHandle::status_value), `GET /runs/{id}`
    /// and `belts run`. It replaces the one before, and is durable when this returns.
    ///
    /// Call it in the function or in a step's expression. When the run resumes, settings that it has made before are passed over, so
    /// an earlier status never replaces a later one. For each row of a loop there are heartbeats: a status carries some bytes for
    /// each one before it. See [the guide](crate::guide::progress).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Context, Event, Worker, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ordered { id: String }
    ///
    /// #[belts::function(id = "ship", on = Ordered)]
    /// async fn ship(order: Ordered, cx: Context) -> belts::Result<()> {
    ///     cx.set_status("packing").await?;
    ///     step!("pack", order.id.len()).await?;
    ///     cx.set_status("shipped").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let run = ship(Ordered { id: "o-17".into() }).via(&worker).start().await?;
    /// run.result().await?;
    /// assert_eq!(run.status_value::<String>().await?.as_deref(), Some("shipped"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`Codec`](ErrorKind::Codec) if the value cannot be written as JSON or not be read back from it, such as NaN, [`TooLarge`](ErrorKind::TooLarge) if it is over
    /// `max_value_bytes`, and [`Config`](ErrorKind::Config) outside of the run, as on a task that it has spawned.
    pub fn set_status<V: Serialize + ?Sized>(
        &self,
        value: &V,
    ) -> impl Future<Output = Result<()>> + Send + use<V> {
        let run = Arc::clone(&self.run);
        let value = limited(&run, "status", value);
        let type_name = std::any::type_name::<V>();
        async move {
            let value = value?;
            belongs_here(&run, "`set_status` is called")?;
            let in_step = CURRENT_STEP.try_with(|_| ()).is_ok();
            if run.is_replayed() && !in_step {
                return Ok(());
            }
            run.set_status(in_step, value, type_name).await
        }
    }

    /// Says how far this attempt of a step is. [`last_heartbeat`](Self::last_heartbeat) tells it the next attempt, and inspection
    /// whoever watches; it also shows that the attempt is alive, where the step has a `stall`.
    ///
    /// It is durable when this returns, unless another one was written less than a second ago: then it is written when that second
    /// is over, or with the end of the attempt. While a store takes longer over that, the next heartbeat waits. Only the last one is
    /// kept. See [the guide](crate::guide::progress).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Context, Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Uploaded { rows: u32 }
    ///
    /// async fn import(rows: u32, cx: &Context) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    ///     let done = cx.last_heartbeat::<u32>()?.unwrap_or(0);
    ///     for row in done..rows {
    ///         if row == 3 && done == 0 {
    ///             return Err("the connection broke".into());
    ///         }
    ///         cx.heartbeat(&(row + 1)).await?;
    ///     }
    ///     Ok(done)
    /// }
    ///
    /// #[belts::function(id = "import", on = Uploaded)]
    /// async fn import_rows(uploaded: Uploaded, cx: Context) -> belts::Result<u32> {
    ///     step!("import", import(uploaded.rows, &cx), stall = "30s").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// let run = harness.run(import_rows, Uploaded { rows: 5 }).await?;
    /// assert_eq!(run.output()?, 3);
    /// assert_eq!(run.progress::<u32>("import")?, Some(5));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`set_status`](Self::set_status), and of kind [`Config`](ErrorKind::Config) outside of a step's expression.
    pub fn heartbeat<P: Serialize + ?Sized>(
        &self,
        progress: &P,
    ) -> impl Future<Output = Result<()>> + Send + use<P> {
        let run = Arc::clone(&self.run);
        let progress = limited(&run, "heartbeat", progress);
        async move {
            let progress = progress?;
            belongs_here(&run, "`heartbeat` is called")?;
            let attempt = CURRENT_STEP.try_with(|step| step.attempt.clone());
            let attempt = attempt.map_err(|_| outside_of_a_step("heartbeat"))?;
            run.beat(&attempt, progress).await;
            Ok(())
        }
    }

    /// The last heartbeat that earlier attempts of this step have sent, also before a crash; those of this attempt change nothing.
    /// `None` if there was none.
    ///
    /// # Errors
    /// Of kind [`Codec`](ErrorKind::Codec) if it is no `P`, as after a deploy that changed the type: a step that returns this error
    /// fails for good, and `cx.last_heartbeat::<P>().unwrap_or_default()` begins from the front. Of kind [`Config`](ErrorKind::Config) outside of a step's expression.
    pub fn last_heartbeat<P: DeserializeOwned>(&self) -> Result<Option<P>> {
        belongs_here(&self.run, "`last_heartbeat` is called")?;
        let step = CURRENT_STEP.try_with(|step| {
            let Attempt { path, progress, .. } = &step.attempt;
            (Arc::clone(path), progress.clone())
        });
        let (path, progress) = step.map_err(|_| outside_of_a_step("last_heartbeat"))?;
        let Some(progress) = progress else {
            return Ok(None);
        };
        codec::read_at_path(progress.get().as_bytes())
            .map(Some)
            .map_err(|reason| {
                let wanted = std::any::type_name::<P>();
                let text = format!("the last heartbeat cannot be read as `{wanted}`{reason}");
                Error::new(ErrorKind::Codec, text).with_step(&path)
            })
    }
}

/// The value as JSON, unless it exceeds the limit.
fn limited<T: Serialize + ?Sized>(run: &LiveRun, what: &str, value: &T) -> Result<Box<RawValue>> {
    let json = codec::to_raw(value)?;
    let (size, limit) = (json.get().len(), run.host.max_value_bytes);
    if size <= limit {
        return Ok(json);
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "the {what} has {size} bytes, over the limit of {limit}: keep it elsewhere and say where, or raise `max_value_bytes`"
        ),
    ))
}

/// Refuses what is asked outside of the run, where nothing knows of it.
pub(super) fn belongs_here(run: &Arc<LiveRun>, what: &str) -> Result<()> {
    let is_here = CURRENT_RUN.try_with(|here| Arc::ptr_eq(here, run));
    if is_here.unwrap_or(false) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "{what} outside of its run `{}`, as on a task that it has spawned; call it in the function or in the step's expression \
             itself",
            run.run_id
        ),
    ))
}

fn outside_of_a_step(method: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "`{method}` is called outside of a step: heartbeats are those of a step's expression, as in step!(\"import\", import(&cx)); \
             for the run as a whole there is `set_status`"
        ),
    )
}

impl LiveRun {
    async fn set_status(
        self: &Arc<Self>,
        in_step: bool,
        value: Box<RawValue>,
        type_name: &'static str,
    ) -> Result<()> {
        let arm = CURRENT_ARM.try_with(Clone::clone).ok();
        let place = arm.as_ref().map_or_else(|| Arc::from(""), Arm::path);
        let setting = Setting {
            place: (!in_step).then_some(place),
            value,
            type_name,
            now: self.host.clock.now(),
        };
        // Under way until it is durable: the run does not leave memory meanwhile.
        let _active = self.activate();
        let mut others = Others::default();
        loop {
            let left = self.leave_status(arm.as_ref(), &setting, others.turns);
            match left.transpose()? {
                Some(SettingVerdict::Unclear(known)) => others.have_a_turn(known).await,
                // A replay waits for nothing that other branches record meanwhile.
                Some(SettingVerdict::Known) => return Ok(()),
                Some(SettingVerdict::New | SettingVerdict::Repeated) => break,
                None => return pending().await,
            }
        }
        if in_step {
            self.recorded_for_step().await;
        } else {
            self.all_recorded().await;
        }
        Ok(())
    }

    /// Leaves a status to be recorded, if it is; nothing in an arm that has lost.
    fn leave_status(
        &self,
        arm: Option<&Arm>,
        setting: &Setting,
        turns: Option<u32>,
    ) -> Option<Result<SettingVerdict>> {
        let mut state = self.state();
        if arm.is_some_and(Arm::has_lost) {
            return None;
        }
        let state = &mut *state;
        let taken = state.statuses.takes(setting, turns);
        if taken != SettingVerdict::New {
            return Some(Ok(taken));
        }
        let new_seq = || state.journal.take_seq();
        let entry = state.statuses.entry(setting, state.before, new_seq);
        Some(entry.map(|entry| {
            // No step future counts on it: one that is under way goes on.
            state.leave(entry, false);
            state.wake_driver();
            taken
        }))
    }
}

/// The branches beside the one that sets a status.
#[derive(Default)]
struct Others {
    /// The turns they had; none where the setting was never unclear.
    turns: Option<u32>,
    known: Option<u32>,
}

impl Others {
    async fn have_a_turn(&mut self, known: u32) {
        let turns = self.turns.filter(|_| self.known == Some(known));
        self.known = Some(known);
        self.turns = Some(turns.unwrap_or(0) + 1);
        let mut is_over = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut is_over, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
