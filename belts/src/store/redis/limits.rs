//! Runs whose time is limited.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Fault, Redis,
    reply::{self, Row},
    script,
};
use crate::{
    error::Result,
    store::{
        Expired, Register, Timestamp,
        parts::{Deadlines, new_id},
    },
};

/// The most runs that one call ends: others wait meanwhile.
const BATCH: usize = 200;

/// Longer limits are the same as none, and Lua counts with these.
const LONGEST: Duration = Duration::from_secs(10_000 * 366 * 24 * 60 * 60);

/// A run whose time is over.
struct Over {
    number: i64,
    deadlines: Deadlines,
    has_started: bool,
}

/// How much time the runs of a session's functions have, as JSON: of each function two numbers, or `-` where there is no limit.
pub(super) fn limits(request: &Register) -> String {
    let within = |within: Option<Duration>| match within {
        Some(within) => {
            let end = Timestamp::from_millis(0).after(within.min(LONGEST));
            end.as_millis().to_string()
        }
        None => "-".to_owned(),
    };
    let wanted = request.wanted();
    let all = wanted.iter();
    let limits = all.filter_map(|wanted| request.limits_of(&wanted.function_id));
    let limits: BTreeMap<&str, String> = limits
        .map(|limits| {
            let (start, finish) = (within(limits.start_within), within(limits.finish_within));
            (&*limits.function_id, format!("{start} {finish}"))
        })
        .collect();
    serde_json::to_string(&limits).expect("texts can be written as JSON")
}

/// The times of a run; see `lua/parts/times.lua`.
pub(super) fn decode_limits(bytes: &[u8]) -> Result<Deadlines, Fault> {
    let fault = || Fault::Reply("limits of a run");
    let mut parts = bytes.split(|byte| *byte == b' ');
    let since = reply::time(parts.next().ok_or_else(fault)?)?;
    let mut by = || match parts.next().ok_or_else(fault)? {
        b"-" => Ok(None),
        time => reply::time(time).map(Some),
    };
    Ok(Deadlines::kept(since, by()?, by()?))
}

impl Redis {
    pub(super) async fn expire_runs(&self, now: Timestamp, most: usize) -> Result<Expired> {
        let mut ended: Vec<Arc<str>> = Vec::new();
        loop {
            let batch = BATCH.min(most - ended.len());
            let (next, over) = self.over(now, batch).await?;
            if over.is_empty() {
                if !ended.is_empty() {
                    self.wake();
                }
                return Ok(Expired::new(ended).with_next(next, now));
            }
            ended.extend(self.expire_batch(&over, now).await?);
        }
    }

    async fn over(&self, now: Timestamp, most: usize) -> Result<(Option<Timestamp>, Vec<Over>)> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::OVER);
            call.arg(now.as_millis()).arg(most);
            call
        });
        let answer = answer.await?;
        self.read(over(answer))
    }

    async fn expire_batch(&self, over: &[Over], now: Timestamp) -> Result<Vec<Arc<str>>> {
        // By its ticket a call that is sent again knows what it has done before.
        let ticket = new_id();
        let answer = self.run(|_| {
            let mut call = self.call(&script::EXPIRE);
            call.arg(now.as_millis())
                .arg(&self.inner.sender)
                .arg(&*ticket)
                .arg(&self.inner.ttl);
            for run in over {
                call.arg(run.number)
                    .arg(u8::from(run.has_started))
                    .arg(run.deadlines.cause(run.has_started, now).to_vec());
            }
            call
        });
        let answer = answer.await?;
        self.read(ids(answer))
    }
}

fn over(answer: redis::Value) -> Result<(Option<Timestamp>, Vec<Over>), Fault> {
    let mut row = Row::of(answer)?;
    let next = row.time()?;
    let (mut runs, mut over) = (row.row()?, Vec::new());
    while !runs.is_empty() {
        let mut run = runs.row()?;
        over.push(Over {
            number: run.number()?,
            deadlines: decode_limits(&run.raw()?)?,
            has_started: run.raw()? == b"1",
        });
    }
    Ok((next, over))
}

fn ids(answer: redis::Value) -> Result<Vec<Arc<str>>, Fault> {
    let mut row = Row::of(answer)?;
    let mut ids = Vec::new();
    while !row.is_empty() {
        ids.push(row.text()?);
    }
    Ok(ids)
}
