//! The commands about what the clock starts: `schedules`, and what it does with one.

use serde::Serialize;

use super::{
    args::{PutArgs, ScheduleCommand},
    place::Place,
    print::{self, Out, plain, time},
    table::Table,
    wrong::Wrong,
};
use crate::{
    inspect::{
        shape::Time,
        shown_schedule::{Action, ChangedSchedule, PutSchedule, ShownSchedule},
    },
    schedule::Schedule,
};

pub(super) async fn run(
    place: &dyn Place,
    command: Option<ScheduleCommand>,
    out: Out,
) -> Result<(), Wrong> {
    match command {
        None => list(place, out).await,
        Some(ScheduleCommand::Next { name, count }) => {
            next(place, name.as_deref(), count, out).await
        }
        Some(ScheduleCommand::Put(asked)) => {
            let done = place.put_schedule(put(asked)?).await?;
            say(&done, "put", "", out)
        }
        Some(ScheduleCommand::Pause { name }) => {
            let done = place.change_schedule(&name, Action::Pause).await?;
            say(&done, "paused", "was paused before", out)
        }
        Some(ScheduleCommand::Resume { name }) => {
            let done = place.change_schedule(&name, Action::Resume).await?;
            say(&done, "resumed", "was not paused", out)
        }
        Some(ScheduleCommand::Trigger { name }) => {
            let done = place.change_schedule(&name, Action::Trigger).await?;
            say(&done, "triggered", "", out)
        }
        Some(ScheduleCommand::Remove { name }) => {
            let done = place.change_schedule(&name, Action::Remove).await?;
            say(&done, "removed", "was not there", out)
        }
    }
}

async fn list(place: &dyn Place, out: Out) -> Result<(), Wrong> {
    let schedules = place.schedules(3).await?;
    if out.json {
        return schedules.iter().try_for_each(print::object);
    }
    if schedules.is_empty() {
        print::tell("the clock starts nothing here");
        return Ok(());
    }
    let heading = [
        "SCHEDULE", "FUNCTION", "NEXT", "LAST", "STARTED", "MISSED", "SKIPPED", "WHEN",
    ];
    let mut table = Table::new(&heading, usize::MAX);
    for schedule in schedules {
        let last = schedule.last.as_ref();
        let last = last.map_or_else(|| "-".to_owned(), |last| time(last.scheduled_at));
        let counts = schedule.counts;
        table.row(&[
            schedule.name.clone(),
            schedule.function_id.clone(),
            coming(&schedule),
            last,
            counts.started.to_string(),
            counts.missed.to_string(),
            counts.skipped.to_string(),
            schedule.schedule.to_string(),
        ]);
    }
    print::write(&table.text(out))
}

/// The next tick, or why there is none.
fn coming(schedule: &ShownSchedule) -> String {
    match (schedule.paused_at, schedule.living, schedule.next.first()) {
        (Some(since), ..) => format!("paused since {}", time(since)),
        (None, false, _) => "no worker has it".to_owned(),
        (None, true, Some(next)) => time(*next),
        (None, true, None) => "-".to_owned(),
    }
}

/// A tick that is to come.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Coming<'a> {
    scheduled_at: Time,
    schedule: &'a str,
    function_id: &'a str,
}

async fn next(place: &dyn Place, name: Option<&str>, count: u32, out: Out) -> Result<(), Wrong> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let schedules = place.schedules(count).await?;
    let is_asked = |schedule: &&ShownSchedule| name.is_none_or(|name| schedule.name == name);
    if let Some(name) = name.filter(|_| !schedules.iter().any(|schedule| is_asked(&schedule))) {
        return Err(Wrong::Failed(format!(
            "there is no schedule `{}`",
            plain(name)
        )));
    }
    let asked = schedules.iter().filter(is_asked);
    let mut ticks: Vec<Coming<'_>> = asked
        .filter(|schedule| schedule.living || name.is_some())
        .flat_map(|schedule| {
            schedule.next.iter().map(|next| Coming {
                scheduled_at: *next,
                schedule: &schedule.name,
                function_id: &schedule.function_id,
            })
        })
        .collect();
    ticks.sort_by_key(|tick| tick.scheduled_at);
    ticks.truncate(count);
    if out.json {
        return ticks.iter().try_for_each(print::object);
    }
    let mut table = Table::new(&["TIME", "SCHEDULE", "FUNCTION"], usize::MAX);
    for tick in ticks {
        table.row(&[
            time(tick.scheduled_at),
            tick.schedule.to_owned(),
            tick.function_id.to_owned(),
        ]);
    }
    print::write(&table.text(out))
}

fn put(asked: PutArgs) -> Result<PutSchedule, Wrong> {
    let mut schedule = match (asked.cron, asked.every) {
        (Some(expression), _) => Schedule::cron(expression),
        (None, every) => Schedule::every(every.unwrap_or_default()),
    };
    if let Some(tz) = asked.tz {
        schedule = schedule.tz(tz);
    }
    schedule = schedule
        .missed(asked.missed.parse()?)
        .overlap(asked.overlap.parse()?)
        .jitter(asked.jitter.unwrap_or_default());
    let data = asked
        .data
        .map(|data| serde_json::from_str(&data))
        .transpose();
    Ok(PutSchedule {
        name: asked.name,
        function_id: asked.function,
        schedule,
        data: data.map_err(|error| Wrong::failed("`--data` is no JSON", error))?,
    })
}

fn say(done: &ChangedSchedule, what: &str, before: &str, out: Out) -> Result<(), Wrong> {
    let name = plain(&done.name);
    if out.json {
        return print::object(done);
    }
    match (&done.run_id, done.changed) {
        (Some(run), _) => print::write(&format!("{what} {name}: run {}\n", plain(run))),
        (None, true) => print::write(&format!("{what} {name}\n")),
        (None, false) => print::write(&format!("{name} {before}\n")),
    }
}
