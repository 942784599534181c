//! The schedules that functions have in their attributes, and their place in the store.
//!
//! A worker writes them down when it is built, so that the newest registration decides, and not at each sweep: two versions of a program
//! side by side do not take turns.

use std::sync::Arc;

use super::{Shared, Worker};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    registry::{Registered, Registry},
    schedule::{Kept, Plan, Schedule, Times},
    store::{ScheduleChange, ScheduleRow},
};

/// How often it is tried again, where others register at the same moment.
const TRIES: usize = 10;

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
        // From here on every publisher on the store knows what this program listens for.
        self.session().await?;
        self.register_schedules().await?;
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
        for _ in 0..TRIES {
            if self.try_to_register(&planned).await? {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "other workers register schedules all the time; start this one again",
        ))
    }

    async fn try_to_register(self: &Arc<Self>, planned: &[Planned<'_>]) -> Result<bool> {
        let stored = self.all_schedules().await?;
        let now = self.clock.now();
        let mut changes = Vec::new();
        let mut old = Vec::new();
        for one in planned {
            let row = stored.iter().find(|row| row.name == one.function.id);
            match row {
                None => changes.push(ScheduleChange::insert(
                    self.row_of(one, Kept::new(one.schedule.clone(), true, None, now)),
                )),
                Some(row) => {
                    let kept = match Kept::read(&row.value) {
                        Ok(kept) => kept,
                        Err(error) => {
                            self.cannot_follow(&row.name, &error);
                            continue;
                        }
                    };
                    if kept.in_code && kept.schedule == one.schedule {
                        let mut newer = kept;
                        let plan = one.plan();
                        if plan.correct(&mut newer) {
                            let due_at = plan.due_at(&newer, now);
                            changes.push(ScheduleChange::update(row, one.row(&newer, due_at)));
                        }
                        continue;
                    }
                    if row.due_at.is_some_and(|due_at| due_at <= now) && kept.in_code {
                        old.push(row.clone());
                        continue;
                    }
                    let mut newer = kept;
                    newer.schedule = one.schedule.clone();
                    newer.in_code = true;
                    newer.data = None;
                    changes.push(ScheduleChange::update(row, self.row_of(one, newer)));
                }
            }
        }
        for row in &stored {
            let has_none = |function: &Registered| function.def.schedule.is_none();
            if self.registry.get(&row.name).is_some_and(has_none)
                && Kept::read(&row.value).is_ok_and(|kept| kept.in_code)
            {
                changes.push(ScheduleChange::remove(row));
            }
        }
        let again = !old.is_empty();
        if again {
            self.deal_with(old).await?;
        }
        if changes.is_empty() {
            return Ok(!again);
        }
        let written = self.store.change_schedules(changes, now).await?;
        Ok(!again && written.into_iter().all(|written| written))
    }

    /// The row of a schedule whose ticks count from now on.
    fn row_of(&self, planned: &Planned<'_>, mut kept: Kept) -> ScheduleRow {
        let now = self.clock.now();
        let plan = planned.plan();
        plan.begin(&mut kept, now);
        planned.row(&kept, plan.due_at(&kept, now))
    }
}
