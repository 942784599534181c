//! Schedules: what they say is sealed, and so is what their ticks start.

use super::Encrypted;
use crate::{
    codec::sealed::key_of,
    error::Result,
    seal::Place,
    store::{ScheduleChange, ScheduleRow},
};

pub(super) fn place(row: &ScheduleRow) -> Place<'_> {
    Place::Schedule {
        name: &row.name,
        function_id: &row.function_id,
    }
}

impl Encrypted {
    pub(super) fn seal_change(&self, change: &mut ScheduleChange) -> Result<()> {
        // One that did not open goes back as it came.
        if let Some(row) = &mut change.to
            && key_of(&row.value).is_none()
        {
            row.value = self.sealer.seal(place(row), None, &row.value)?;
        }
        for event in &mut change.starts {
            self.sealer.seal_event(event)?;
        }
        Ok(())
    }

    /// Opens a schedule, as far as the key is here. What was written without encryption is as it was.
    pub(super) fn open_schedule(&self, mut row: ScheduleRow) -> ScheduleRow {
        if let Some(opened) = self.sealer.open(place(&row), &row.value) {
            row.value = opened.value;
        }
        row
    }
}
