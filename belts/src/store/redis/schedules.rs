//! Schedules in Redis: a hash each, the names in their order, and for each function when they are due.

use std::sync::Arc;

use super::{
    Fault, Redis,
    publish::{add_start, most as at_most, new_ticket},
    reply::{self, Row},
    script::{self, Call},
};
use crate::{
    error::Result,
    store::{DueSchedules, ScheduleChange, ScheduleRow, Timestamp},
};

impl Redis {
    pub(super) async fn read_due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::DUE_SCHEDULES);
            call.arg(now.as_millis()).arg(at_most(most));
            for function in functions {
                call.arg(&**function);
            }
            call
        });
        let answer = answer.await?;
        self.read(due(answer))
    }

    pub(super) async fn write_schedules(
        &self,
        changes: &[ScheduleChange],
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        // What is sent again is known by these.
        let tickets: Vec<Vec<u64>> = changes
            .iter()
            .map(|change| change.starts.iter().map(|_| new_ticket()).collect())
            .collect();
        let answer = self.run(|_| {
            let mut call = self.call(&script::CHANGE_SCHEDULES);
            call.arg(now.as_millis())
                .arg(&self.inner.ttl)
                .arg(&self.inner.sender)
                .arg(changes.len());
            for (change, tickets) in changes.iter().zip(&tickets) {
                add_change(&mut call, change, tickets, now);
            }
            call
        });
        let digits = self.read(reply::raw(answer.await?))?;
        if digits.len() != changes.len() {
            return self.read(Err(Fault::Reply("outcome of each change of a schedule")));
        }
        let written: Vec<bool> = digits.iter().map(|digit| *digit == b'1').collect();
        let mut started = changes.iter().zip(&written);
        if started.any(|(change, written)| *written && !change.starts.is_empty()) {
            self.wake();
        }
        Ok(written)
    }

    pub(super) async fn read_schedules(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<ScheduleRow>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::SCHEDULES);
            call.arg(at_most(most));
            if let Some(after) = after {
                call.arg(after);
            }
            call
        });
        let answer = answer.await?;
        self.read(Row::of(answer).and_then(rows))
    }

    pub(super) async fn read_schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::SCHEDULE);
            call.arg(name);
            call
        });
        let answer = answer.await?;
        let mut rows = self.read(Row::of(answer).and_then(rows))?;
        Ok(rows.pop())
    }
}

fn add_change(call: &mut Call, change: &ScheduleChange, tickets: &[u64], now: Timestamp) {
    call.arg(&*change.name);
    match change.read {
        Some(version) => call.arg(version),
        None => call.arg(""),
    };
    match &change.to {
        Some(row) => {
            call.arg(row.version).arg(&*row.function_id);
            match row.due_at {
                Some(due_at) => call.arg(due_at.as_millis()),
                None => call.arg(""),
            };
            call.arg(&*row.value);
        }
        None => {
            call.arg("").arg("").arg("").arg("");
        }
    }
    call.arg(change.starts.len());
    for (event, ticket) in change.starts.iter().zip(tickets) {
        add_start(call, event, *ticket, now);
    }
}

fn due(answer: redis::Value) -> Result<DueSchedules, Fault> {
    let mut row = Row::of(answer)?;
    let next = row.time()?;
    Ok(DueSchedules::new(rows(row)?).with_next(next))
}

fn rows(mut all: Row) -> Result<Vec<ScheduleRow>, Fault> {
    let mut rows = Vec::new();
    while !all.is_empty() {
        let mut row = all.row()?;
        let (name, function) = (row.text()?, row.text()?);
        let due_at = row.raw()?;
        let version = row.number()?;
        let mut read = ScheduleRow::new(name, function, row.raw()?);
        if !due_at.is_empty() {
            read.due_at = Some(reply::time(&due_at)?);
        }
        read.version = version;
        rows.push(read);
    }
    Ok(rows)
}
