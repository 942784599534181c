//! Schedules over HTTP: what the clock starts and when, and changing it.

use axum::{http::Uri, response::Response};

use super::{
    actor::{AskedRuns, Id},
    query::{json, query, unknown},
    refusal::Refusal,
};
use crate::{
    inspect::{
        Schedules,
        shown_schedule::{Action, PutSchedule, ShownSchedule, ShownSchedules},
        when,
    },
    schedule::Schedule,
};

/// How many next ticks of each are shown, unless the query says otherwise, and at most.
const SHOWN: usize = 3;
const MOST_SHOWN: usize = 100;

/// How many schedules a page has at most, and how many ticks.
const PAGE: usize = 500;
const MOST_TICKS: usize = 5_000;

pub(super) async fn list(AskedRuns(runs): AskedRuns, uri: Uri) -> Result<Response, Refusal> {
    let asked = Asked::read(&uri, true)?;
    let most = PAGE.min(MOST_TICKS / asked.next.max(1));
    let schedules = Schedules::with(runs);
    let (page, next) = schedules.page(asked.after.as_deref(), most).await?;
    let mut shown = Vec::with_capacity(page.len());
    for record in &page {
        shown.push(ShownSchedule::of(record, asked.next));
        // Ticks of some expressions are far apart, and take long to find.
        tokio::task::yield_now().await;
    }
    Ok(json(&ShownSchedules {
        schedules: shown,
        next: next.map(|name| name.to_string()),
    }))
}

pub(super) async fn show(
    AskedRuns(runs): AskedRuns,
    Id(name): Id,
    uri: Uri,
) -> Result<Response, Refusal> {
    let asked = Asked::read(&uri, false)?;
    let record = Schedules::with(runs).get(&name).await?;
    Ok(json(&ShownSchedule::of(&record, asked.next)))
}

/// What a query asks for.
struct Asked {
    /// How many of the next ticks.
    next: usize,
    after: Option<String>,
}

impl Asked {
    fn read(uri: &Uri, of_many: bool) -> Result<Self, Refusal> {
        let (mut next, mut after) = (SHOWN, None);
        for (name, value) in query(uri)? {
            match name.as_str() {
                "next" => {
                    let number = value.parse().ok().filter(|number| *number <= MOST_SHOWN);
                    next = number.ok_or_else(|| {
                        Refusal::bad_request("`next` must be a number of ticks, at most 100")
                    })?;
                }
                "after" if of_many => after = Some(value),
                _ if of_many => return Err(unknown(&name, "`next`, `after`")),
                _ => return Err(unknown(&name, "`next`")),
            }
        }
        Ok(Self { next, after })
    }
}

/// Changes the schedule of a name.
pub(super) async fn change(
    action: Action,
    AskedRuns(runs): AskedRuns,
    Id(name): Id,
) -> Result<Response, Refusal> {
    // The client may go before it is done.
    let changing = tokio::spawn(async move { action.of(&Schedules::with(runs), &name).await });
    let changed = changing.await.map_err(|_| Refusal::shutdown())??;
    Ok(json(&changed))
}

/// Puts a schedule; all that it says is in the query.
pub(super) async fn put(
    AskedRuns(runs): AskedRuns,
    Id(name): Id,
    uri: Uri,
) -> Result<Response, Refusal> {
    let (mut function, mut cron, mut tz, mut every, mut data) = (None, None, None, None, None);
    let (mut missed, mut overlap, mut jitter) = (None, None, None);
    for (parameter, value) in query(&uri)? {
        let place = match parameter.as_str() {
            "function" => &mut function,
            "cron" => &mut cron,
            "tz" => &mut tz,
            "every" => &mut every,
            "missed" => &mut missed,
            "overlap" => &mut overlap,
            "jitter" => &mut jitter,
            "data" => &mut data,
            _ => {
                let known =
                    "`function`, `cron`, `tz`, `every`, `missed`, `overlap`, `jitter`, `data`";
                return Err(unknown(&parameter, known));
            }
        };
        *place = Some(value);
    }
    let wrong = |text: &str| Refusal::bad_request(text);
    let length = |text: &str| {
        when::duration(text)
            .ok_or_else(|| wrong("`every` and `jitter` are times such as `90s`, `15m` or `24h`"))
    };
    let mut schedule = match (cron, every) {
        (Some(expression), None) => Schedule::cron(expression),
        (None, Some(every)) => Schedule::every(length(&every)?),
        _ => return Err(wrong("say either `cron` or `every`")),
    };
    if let Some(tz) = tz {
        schedule = schedule.tz(tz);
    }
    if let Some(missed) = missed {
        schedule = schedule.missed(missed.parse()?);
    }
    if let Some(overlap) = overlap {
        schedule = schedule.overlap(overlap.parse()?);
    }
    if let Some(jitter) = jitter {
        schedule = schedule.jitter(length(&jitter)?);
    }
    let data = data.map(|data| serde_json::from_str(&data)).transpose();
    let asked = PutSchedule {
        name,
        function_id: function
            .ok_or_else(|| wrong("`function` is missing: the id of the function to start"))?,
        schedule,
        data: data.map_err(|_| wrong("`data` is no JSON"))?,
    };
    Ok(json(&asked.put(&Schedules::with(runs)).await?))
}
