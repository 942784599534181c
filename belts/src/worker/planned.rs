//! The schedules that functions have in their attributes, and their place in the store.
//!
//! A worker writes them down when it is built, so that the newest registration decides, and not at each sweep: two versions of a program
//! side by side do not take turns.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::try_join_all;

use super::{Shared, Worker, clockwork::PAGE};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    registry::{Registered, Registry},
    schedule::{Kept, Plan, Schedule, Times},
    store::{ScheduleChange, ScheduleRow},
};

/// How often it is tried again, where others register at the same moment.
const TRIES: usize = 10;

/// How many schedules are read at once where there are many.
const AT_ONCE: usize = 16;

/// A schedule in an attribute.
struct Planned<'a> {
    function: &'a Registered,
    schedule: Schedule,
    times: Times,
}

impl Planned<'_> {
    fn plan(&self) -> Plan<'_> {
        let id = &self.function.id;
        Plan {
            name: id,
            function_id: id,
            times: &self.times,
        }
    }

    /// What another version of this program has to change, where the schedule is the same; `None` for nothing.
    fn refresh(&self, row: &ScheduleRow, mut kept: Kept, now: Timestamp) -> Option<ScheduleChange> {
        let plan = self.plan();
        let differs = plan.set_back(&mut kept, now) || plan.correct(&mut kept);
        differs.then(|| ScheduleChange::update(row, self.row(&kept, plan.due_at(&kept, now))))
    }

    /// Has another schedule of this name, which had these times, go on as this one.
    fn change(
        &self,
        row: &ScheduleRow,
        mut kept: Kept,
        times: Option<&Times>,
        held: bool,
        now: Timestamp,
    ) -> ScheduleChange {
        let plan = self.plan();
        let starts = plan.change(&mut kept, &self.schedule, times, held, now);
        kept.in_code = true;
        kept.data = None;
        let due_at = plan.due_at(&kept, now);
        let due_at = if starts { Some(now) } else { due_at };
        ScheduleChange::update(row, self.row(&kept, due_at))
    }

    fn row(&self, kept: &Kept, due_at: Option<Timestamp>) -> ScheduleRow {
        let id = &self.function.id;
        ScheduleRow::new(Arc::clone(id), Arc::clone(id), kept.write()).with_due_at(due_at)
    }
}

impl Registry {
    /// The schedules of the functions, each with its times.
    ///
    /// # Errors
    /// One cannot be followed; the error names its function.
    fn planned(&self) -> Result<Vec<Planned<'_>>> {
        let functions = self.functions().iter();
        let planned = functions.filter_map(|function| {
            let schedule = function.def.schedule?().schedule();
            let times = schedule.times().map_err(|error| {
                let place = function.def.location;
                let text = format!(
                    "the schedule of the function `{}` at {}:{}",
                    function.id, place.file, place.line
                );
                Error::new(ErrorKind::Config, text).with_source(error)
            });
            Some(times.map(|times| Planned {
                function,
                schedule,
                times,
            }))
        });
        planned.collect()
    }
}

impl Shared {
    /// Registers the worker with its schedules, and in push mode sends the message that brings the first tick.
    pub(super) async fn begin(self: Arc<Self>) -> Result<Worker> {
        self.store_has_flow()?;
        // From here on every publisher on the store knows what this program listens for.
        self.session().await?;
        self.register_schedules().await?;
        if self.hands_on() {
            self.put_off_all();
        }
        #[cfg(feature = "http")]
        self.push_ticks_quietly().await;
        Ok(Worker::from_shared(self))
    }

    /// Writes down the schedules of the functions, and removes those that functions no longer have.
    ///
    /// What is due is started first, by the plan that it was made by.
    ///
    /// # Errors
    /// The store keeps no schedules, or cannot be reached or written, or a schedule cannot be followed.
    async fn register_schedules(self: &Arc<Self>) -> Result<()> {
        let planned = self.registry.planned()?;
        if !self.store.capabilities().schedules {
            return match planned.first() {
                None => Ok(()),
                Some(first) => Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "the function `{}` has a schedule, and the store keeps none",
                        first.function.id
                    ),
                )
                .with_source(Error::no_schedules())),
            };
        }
        if self.registry.functions().is_empty() {
            return Ok(());
        }
        for attempt in 0..TRIES {
            if self.try_to_register(&planned, attempt == 0).await? {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "other workers register schedules all the time; start this one again",
        ))
    }

    /// Writes down what differs; whether nothing does any more. At the first attempt what is due by an old plan is only started.
    async fn try_to_register(
        self: &Arc<Self>,
        planned: &[Planned<'_>],
        is_first: bool,
    ) -> Result<bool> {
        let stored = self.own_schedules().await?;
        let now = self.clock.now();
        let (mut changes, mut differ) = (Vec::new(), Vec::new());
        for one in planned {
            let Some(row) = stored.get(&one.function.id) else {
                let kept = Kept::new(one.schedule.clone(), true, None, now);
                changes.push(ScheduleChange::insert(self.row_of(one, kept)));
                continue;
            };
            match Kept::read(&row.value) {
                Ok(kept) if kept.in_code && kept.schedule == one.schedule => {
                    changes.extend(one.refresh(row, kept, now));
                }
                Ok(kept) => differ.push((one, row, kept)),
                Err(error) => self.cannot_follow(&row.name, &error),
            }
        }
        let mut old = Vec::new();
        if !differ.is_empty() {
            let paused = self.paused().await?;
            for (one, row, kept) in differ {
                let held = paused.contains(&one.function.id);
                let is_due = row.due_at.is_some_and(|due_at| due_at <= now);
                if is_first && is_due && kept.in_code && !held {
                    old.push(row.clone());
                } else {
                    let times = self.clockwork.times(&kept).ok();
                    changes.push(one.change(row, kept, times.as_deref(), held, now));
                }
            }
        }
        for function in self.registry.functions() {
            if function.def.schedule.is_none()
                && let Some(row) = stored.get(&function.id)
                && Kept::read(&row.value).is_ok_and(|kept| kept.in_code)
            {
                changes.push(ScheduleChange::remove(row));
            }
        }
        let again = !old.is_empty();
        if again && let Err(error) = self.deal_with(old).await {
            // They keep no worker from starting: the change has what is left of them wait for its run.
            tracing::warn!(error = %error.report(), "what was due by an older schedule could not be started before the change");
        }
        if changes.is_empty() {
            return Ok(!again);
        }
        let written = self.store.change_schedules(changes, now).await?;
        Ok(!again && written.into_iter().all(|written| written))
    }

    /// The schedules under the names of this worker's functions.
    async fn own_schedules(&self) -> Result<HashMap<Arc<str>, ScheduleRow>> {
        let mut rows = self.store.schedules(None, PAGE).await?;
        if rows.len() >= PAGE {
            // There are many, such as one for each tenant.
            rows.clear();
            for some in self.registry.functions().chunks(AT_ONCE) {
                let each = some.iter().map(|one| self.store.schedule(&one.id));
                rows.extend(try_join_all(each).await?.into_iter().flatten());
            }
        }
        let named = rows.into_iter().map(|row| (Arc::clone(&row.name), row));
        Ok(named.collect())
    }

    /// The functions that are paused.
    async fn paused(&self) -> Result<HashSet<Arc<str>>> {
        let functions = self.store.functions(self.clock.now(), 1).await?;
        let paused = functions
            .into_iter()
            .filter(|known| known.paused_at.is_some());
        Ok(paused.map(|known| known.function_id).collect())
    }

    /// The row of a schedule whose ticks count from now on.
    fn row_of(&self, planned: &Planned<'_>, mut kept: Kept) -> ScheduleRow {
        let now = self.clock.now();
        let plan = planned.plan();
        plan.begin(&mut kept, now);
        planned.row(&kept, plan.due_at(&kept, now))
    }
}
