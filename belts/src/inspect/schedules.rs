//! The schedules of a store: those that functions have in their attributes, and those that are put at run time.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Runs,
    scheduled::{ScheduleRecord, check_name, with_function},
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    function::Function,
    id::new_id,
    schedule::{Kept, Plan, Schedule, Tick, to_json},
    store::{FunctionRecord, ScheduleChange, ScheduleRow, SharedStore},
    worker::clockwork,
};

/// How often a change is tried again that others were faster than.
const TRIES: usize = 50;

/// The schedules of a store: [`Worker::schedules`](crate::Worker::schedules) for those of a worker's, [`Schedules::of`] for those of any.
///
/// One that is put at run time has a name of its own, such as that of a tenant, and brings data that its function takes out of the tick.
/// One in the attribute of a function is named by the function's id.
///
/// ```rust,standalone_crate
/// use belts::{Schedule, Tick, step, testing::Harness};
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Serialize, Deserialize)]
/// struct Tenant { mail: String }
///
/// #[belts::function(id = "tenant-report")]
/// async fn tenant_report(tick: Tick) -> belts::Result<String> {
///     let tenant: Tenant = tick.data()?;
///     step!("send", format!("to {}", tenant.mail)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let harness = Harness::builder().function(tenant_report).build().await?;
/// let schedules = harness.worker().schedules();
/// let nine = Schedule::cron("0 9 * * *").tz("Europe/Berlin");
/// schedules.put("tenant-7", tenant_report, nine, Tenant { mail: "ada@example.com".into() }).await?;
///
/// harness.travel(Duration::from_secs(24 * 60 * 60)).await?;
/// harness.runs_of(tenant_report).await?[0].assert_completed();
/// assert!(schedules.remove("tenant-7").await?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Schedules {
    pub(super) runs: Runs,
}

impl Schedules {
    /// The schedules of a store without a worker.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let store = std::sync::Arc::new(belts::store::Memory::new());
    /// assert!(belts::Schedules::of(store).list().await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn of(store: SharedStore) -> Self {
        Self::with(Runs::of(store))
    }

    pub(crate) fn with(runs: Runs) -> Self {
        Self { runs }
    }

    /// Names who makes the changes, as [`Runs::by`] does.
    #[must_use]
    pub fn by(self, who: impl AsRef<str>) -> Self {
        Self::with(self.runs.by(who))
    }

    /// Puts a schedule under this name: makes it, or changes the one that is there. `data` is what the function takes out of the tick,
    /// `()` for nothing.
    ///
    /// Its ticks count from now on. Where it is there and only the data differ, or nothing does, it goes on as it was: a program may put
    /// its schedules each time it starts.
    ///
    /// # Errors
    /// Of kind [`Config`](ErrorKind::Config): the expression, the zone or the name cannot be, or a function has this id. Of kind
    /// [`Codec`](ErrorKind::Codec): the data cannot be written as JSON. Of kind [`Dispatcher`](ErrorKind::Dispatcher): it was put, but a
    /// worker without a loop could not hand on its next tick; try again. Also if the store cannot be reached or written, or keeps no
    /// schedules.
    pub async fn put<M, F: Function<M, Event = Tick>>(
        &self,
        name: impl Into<Arc<str>>,
        _function: F,
        schedule: Schedule,
        data: impl Serialize,
    ) -> Result<ScheduleRecord> {
        let function_id = Arc::from(F::definition().id);
        self.put_json(name.into(), function_id, schedule, to_json(&data)?)
            .await
    }

    pub(crate) async fn put_json(
        &self,
        name: Arc<str>,
        function_id: Arc<str>,
        schedule: Schedule,
        data: Option<Box<RawValue>>,
    ) -> Result<ScheduleRecord> {
        check_name(&name, self.has_function(&name))?;
        let times = schedule.times()?;
        self.tell(&name, "put");
        for _ in 0..TRIES {
            let now = self.now();
            let row = self.runs.store.schedule(&name).await?;
            let present = row.as_ref().map(|row| Kept::read(&row.value)).transpose()?;
            if present.as_ref().is_some_and(|kept| kept.in_code) {
                return Err(in_code(&name, "put another one under another name"));
            }
            let plan = Plan {
                name: &name,
                function_id: &function_id,
                times: &times,
            };
            let is_same = |kept: &Kept| {
                kept.schedule == schedule
                    && row
                        .as_ref()
                        .is_some_and(|row| row.function_id == function_id)
            };
            let mut starts = false;
            let kept = match present {
                Some(mut kept) if is_same(&kept) => {
                    kept.data.clone_from(&data);
                    kept
                }
                Some(mut kept) => {
                    let old = kept.schedule.times().ok();
                    let held = self.held(row.as_ref()).await?;
                    starts = plan.change(&mut kept, &schedule, old.as_ref(), held, now);
                    kept.data.clone_from(&data);
                    kept
                }
                None => {
                    let mut kept = Kept::new(schedule.clone(), false, data.clone(), now);
                    plan.begin(&mut kept, now);
                    kept
                }
            };
            let due_at = plan.due_at(&kept, now);
            let due_at = if starts { Some(now) } else { due_at };
            if let Some(record) = self.write(row.as_ref(), &plan, kept, due_at).await? {
                self.push_tick(due_at).await?;
                return self.live(record).await;
            }
        }
        Err(busy(&name))
    }

    /// Whether the function that a schedule starts is paused.
    async fn held(&self, row: Option<&ScheduleRow>) -> Result<bool> {
        let Some(row) = row else {
            return Ok(false);
        };
        let functions = self.functions().await?;
        let mut known = functions.iter();
        let known = known.find(|known| known.function_id == row.function_id);
        Ok(known.is_some_and(|known| known.paused_at.is_some()))
    }

    fn has_function(&self, id: &str) -> bool {
        let worker = self.runs.worker.as_ref();
        worker.is_some_and(|worker| worker.registry.get(id).is_some())
    }

    /// Pauses a schedule until it is [resumed](Self::resume), whatever happens to this program; `false` if it was paused already.
    ///
    /// Ticks of that time are not missed: they never were.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the store cannot be written.
    pub async fn pause(&self, name: &str) -> Result<bool> {
        self.change(name, "pause", |kept, _, now| {
            let pauses = kept.paused_at.is_none();
            kept.paused_at = kept.paused_at.or(Some(now));
            pauses
        })
        .await
    }

    /// Resumes a schedule: its ticks count from now on; `false` if it was not paused.
    ///
    /// # Errors
    /// As [`pause`](Self::pause). Of kind [`Dispatcher`](ErrorKind::Dispatcher): it is resumed, but a worker without a loop could not hand
    /// on its next tick; try again.
    pub async fn resume(&self, name: &str) -> Result<bool> {
        let resumed = self
            .change(name, "resume", |kept, plan, now| {
                let resumes = kept.paused_at.take().is_some();
                if resumes {
                    plan.begin(kept, now);
                }
                resumes
            })
            .await?;
        if let Some(row) = self.runs.store.schedule(name).await? {
            self.push_tick(row.due_at).await?;
        }
        Ok(resumed)
    }

    /// Starts a run of the function now, whatever the plan, whether the schedule is paused, and whatever goes on; the run's id. Its tick
    /// is for this moment, and the next one by the plan comes all the same, with this one as its `previous()`.
    ///
    /// # Errors
    /// As [`pause`](Self::pause). Of kind [`Dispatcher`](ErrorKind::Dispatcher): the run was started, but a worker without a loop could
    /// not hand it on.
    pub async fn trigger_now(&self, name: &str) -> Result<String> {
        self.read(name).await?;
        self.tell(name, "trigger");
        let run_id = new_id();
        for _ in 0..TRIES {
            let (row, mut kept) = self.read(name).await?;
            let now = self.now();
            let mut tick = Tick::new(now)
                .with_schedule(Arc::clone(&row.name))
                .with_json(kept.data.clone());
            if let Some(previous) = kept.cover(now) {
                tick = tick.with_previous(previous);
            }
            let event = clockwork::new_run(&row, &tick, &run_id, now);
            let (name, function_id) = (Arc::clone(&row.name), Arc::clone(&row.function_id));
            let to = ScheduleRow::new(name, function_id, kept.write()).with_due_at(row.due_at);
            let change = ScheduleChange::update(&row, to).with_starts(vec![event]);
            let written = self.runs.store.change_schedules(vec![change], now).await?;
            if written == [true] {
                self.runs.tell(&run_id).await?;
                return Ok(run_id.to_string());
            }
        }
        Err(busy(name))
    }

    /// Removes a schedule; `false` if there was none. What it has started goes on.
    ///
    /// # Errors
    /// Of kind [`Conflict`](ErrorKind::Conflict): it is in the attribute of a function that a running worker has. Also if the store cannot be reached or written.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        for _ in 0..TRIES {
            let Some(row) = self.runs.store.schedule(name).await? else {
                return Ok(false);
            };
            // One that cannot be read can be removed all the same.
            if let Ok(kept) = Kept::read(&row.value)
                && kept.in_code
                && self.live(ScheduleRecord::of(&row, kept)).await?.living
            {
                return Err(in_code(name, "pause it, or remove it there"));
            }
            self.tell(name, "remove");
            let change = ScheduleChange::remove(&row);
            let written = self
                .runs
                .store
                .change_schedules(vec![change], self.now())
                .await?;
            if written == [true] {
                return Ok(true);
            }
        }
        Err(busy(name))
    }

    async fn change(
        &self,
        name: &str,
        action: &str,
        change: impl Fn(&mut Kept, &Plan<'_>, Timestamp) -> bool,
    ) -> Result<bool> {
        for _ in 0..TRIES {
            let (row, mut kept) = self.read(name).await?;
            let times = kept.schedule.times()?;
            let now = self.now();
            let plan = Plan {
                name: &row.name,
                function_id: &row.function_id,
                times: &times,
            };
            if !change(&mut kept, &plan, now) {
                return Ok(false);
            }
            self.tell(name, action);
            let due_at = plan.due_at(&kept, now);
            if self.write(Some(&row), &plan, kept, due_at).await?.is_some() {
                return Ok(true);
            }
        }
        Err(busy(name))
    }

    /// Writes a schedule in place of the one that was read; `None` if somebody was faster.
    async fn write(
        &self,
        read: Option<&ScheduleRow>,
        plan: &Plan<'_>,
        kept: Kept,
        due_at: Option<Timestamp>,
    ) -> Result<Option<ScheduleRecord>> {
        let row = ScheduleRow::new(plan.name, plan.function_id, kept.write()).with_due_at(due_at);
        let change = match read {
            Some(read) => ScheduleChange::update(read, row.clone()),
            None => ScheduleChange::insert(row.clone()),
        };
        let store = &self.runs.store;
        let written = store.change_schedules(vec![change], self.now()).await?;
        if written != [true] {
            return Ok(None);
        }
        if let Some(worker) = &self.runs.worker {
            worker.clockwork.notify();
        }
        Ok(Some(ScheduleRecord::of(&row, kept)))
    }

    pub(super) async fn read(&self, name: &str) -> Result<(ScheduleRow, Kept)> {
        let Some(row) = self.runs.store.schedule(name).await? else {
            let text = format!("there is no schedule `{name}`");
            return Err(Error::new(ErrorKind::UnknownSchedule, text));
        };
        let kept = Kept::read(&row.value)?;
        Ok((row, kept))
    }

    pub(super) async fn functions(&self) -> Result<Vec<FunctionRecord>> {
        self.runs.store.functions(self.now(), 1).await
    }

    pub(super) async fn live(&self, record: ScheduleRecord) -> Result<ScheduleRecord> {
        Ok(with_function(record, &self.functions().await?))
    }

    /// Where no loop runs, has a message come when a schedule is due that was written.
    #[cfg_attr(
        not(feature = "http"),
        expect(clippy::unused_async, reason = "only a dispatcher is waited for")
    )]
    async fn push_tick(&self, due_at: Option<Timestamp>) -> Result<()> {
        #[cfg(feature = "http")]
        if let Some(worker) = &self.runs.worker {
            worker.push_tick(due_at).await?;
        }
        #[cfg(not(feature = "http"))]
        let _ = due_at;
        Ok(())
    }

    fn tell(&self, name: &str, action: &str) {
        self.runs.tell_of_schedule(name, action);
    }

    fn now(&self) -> Timestamp {
        self.runs.clock.now()
    }
}

fn in_code(name: &str, advice: &str) -> Error {
    let text = format!("the schedule `{name}` is in the attribute of its function; {advice}");
    Error::new(ErrorKind::Conflict, text)
}

fn busy(name: &str) -> Error {
    let text = format!("others change the schedule `{name}` all the time; try again");
    Error::new(ErrorKind::Busy, text)
}
