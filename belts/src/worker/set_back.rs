//! Clocks that are set back: schedules that were written by one that was far ahead count anew. And rules of time zones that have changed.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Shared, clockwork::PAGE};
use crate::{
    clock::Timestamp,
    error::Result,
    plain::Clean,
    schedule::{Kept, Plan},
    store::{ScheduleChange, ScheduleRow},
};

/// A clock that is set back by more has its worker look at every schedule.
const SET_BACK: Duration = Duration::from_secs(60);

/// How often every schedule is looked at, for the case that a clock elsewhere was wrong.
const ALL: Duration = Duration::from_secs(600);

impl Shared {
    /// Looks at every schedule if the clock was set back, and now and then: one that was written by a clock that was far ahead
    /// would otherwise wait until that time comes.
    pub(super) async fn heed_the_clock(self: &Arc<Self>, functions: &[Arc<str>]) -> Result<()> {
        let now = self.clock.now();
        let looked = self.clockwork.looked.load(Ordering::Acquire);
        let all = self.clockwork.looked_at_all.load(Ordering::Acquire);
        let set_back = looked != i64::MIN && looked > now.after(SET_BACK).as_millis();
        // If the look after that failed, it is made up for.
        let is_ahead = all > now.after(SET_BACK).as_millis();
        let over = all == i64::MIN || is_ahead || now.since(Timestamp::from_millis(all)) >= ALL;
        if !set_back && !over {
            self.clockwork
                .looked
                .store(now.as_millis(), Ordering::Release);
            return Ok(());
        }
        // Once in a process: the newest one has its rules heeded, and two side by side do not take turns.
        let corrected = self.clockwork.corrected.load(Ordering::Acquire);
        for row in self.all_schedules().await? {
            if !functions.contains(&row.function_id) {
                continue;
            }
            let Ok(mut kept) = Kept::read(&row.value) else {
                continue;
            };
            let Ok(times) = self.clockwork.times(&kept) else {
                continue;
            };
            let plan = Plan {
                name: &row.name,
                function_id: &row.function_id,
                times: &times,
            };
            let is_set_back = plan.set_back(&mut kept, now);
            if is_set_back || (!corrected && plan.correct(&mut kept)) {
                let due_at = plan.due_at(&kept, now);
                let next = ScheduleRow::new(
                    Arc::clone(&row.name),
                    Arc::clone(&row.function_id),
                    kept.write(),
                );
                let change = ScheduleChange::update(&row, next.with_due_at(due_at));
                self.store.change_schedules(vec![change], now).await?;
                if is_set_back {
                    tracing::warn!(schedule = %Clean(&row.name), "the clock was set back: the ticks of the schedule count from now on");
                }
            }
        }
        self.clockwork.corrected.store(true, Ordering::Release);
        self.clockwork
            .looked
            .store(now.as_millis(), Ordering::Release);
        self.clockwork
            .looked_at_all
            .store(now.as_millis(), Ordering::Release);
        Ok(())
    }

    /// Leaves the first look at every schedule for later, where a process may not live for long and reads what it needs.
    pub(super) fn put_off_all(&self) {
        let now = self.clock.now().as_millis();
        self.clockwork.looked_at_all.store(now, Ordering::Release);
    }

    /// Every schedule of the store.
    pub(crate) async fn all_schedules(&self) -> Result<Vec<ScheduleRow>> {
        let mut all: Vec<ScheduleRow> = Vec::new();
        loop {
            let last = all.last().map(|row| Arc::clone(&row.name));
            let page = self.store.schedules(last.as_deref(), PAGE).await?;
            let more = page.len() == PAGE;
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }
}
