//! The commands about runs: `runs`, `run`, `cancel`, `rerun` and `purge`.

use std::io::{self, IsTerminal as _, Write as _};

use super::{
    args::{ListArgs, RerunArgs, Which},
    pages::collect,
    place::{Filters, Place},
    print::{self, Out, plain, plural, time, took},
    table::Table,
    wrong::Wrong,
};
use crate::{
    error::Error,
    inspect::shape::{Changed, ShownNote, ShownPurge, ShownRun, ShownStep},
    store::{RunStatus, StepState, Timestamp},
};

/// The most runs that one command changes if they are selected by filters.
const MOST_CHOSEN: usize = 100_000;

pub(super) async fn list(place: &dyn Place, asked: &ListArgs, out: Out) -> Result<(), Wrong> {
    let mut conditions = conditions(&asked.which);
    conditions.event.clone_from(&asked.event);
    conditions.parent.clone_from(&asked.parent);
    conditions.page.clone_from(&asked.page);
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let (runs, next) = collect(place, conditions, most).await?;
    if out.json {
        runs.iter().try_for_each(print::object)?;
    } else if runs.is_empty() {
        print::tell("there is no such run");
    } else {
        print::write(&table(&runs).text(out))?;
    }
    if let Some(next) = next {
        print::tell(&format!(
            "there are more runs: add `--page {next}`, or raise `--limit`"
        ));
    }
    Ok(())
}

pub(super) fn conditions(which: &Which) -> Filters {
    Filters {
        function: which.function.clone(),
        statuses: which.status.clone(),
        tags: which.tag.clone(),
        since: which.since,
        until: which.until,
        ..Filters::default()
    }
}

fn table(runs: &[ShownRun]) -> Table {
    let mut table = Table::new(&["RUN", "STATUS", "FUNCTION", "SINCE", "ERROR"], 1);
    for run in runs {
        table.row(&[
            run.run_id.clone(),
            run.status.to_string(),
            run.function_id.clone(),
            time(run.finished_at.or(run.started_at).unwrap_or(run.created_at)),
            run.error
                .as_ref()
                .map(crate::codec::Failure::report)
                .unwrap_or_default(),
        ]);
    }
    table
}

pub(super) async fn show(place: &dyn Place, id: &str, values: bool, out: Out) -> Result<(), Wrong> {
    let run = place.run(id, values).await?;
    if out.json {
        return print::object(&run);
    }
    print::write(&about(&run, out))?;
    let steps = run.steps.as_deref().unwrap_or_default();
    if steps.is_empty() {
        print::write("\nno steps recorded\n")?;
    } else {
        print::write(&format!("\n{}", journal(steps).text(out)))?;
    }
    if !run.notes.is_empty() {
        print::write(&format!("\n{}", changes(&run.notes).text(out)))?;
    }
    steps.iter().filter(|_| values).try_for_each(output)
}

pub(super) async fn export(place: &dyn Place, id: &str) -> Result<(), Wrong> {
    print::object(&place.export(id).await?)
}

/// The operator actions on the run.
fn changes(notes: &[ShownNote]) -> Table {
    let mut table = Table::new(&["CHANGED", "WHAT", "BY"], usize::MAX);
    for note in notes {
        table.row(&[time(note.at), note.action.clone(), note.by.clone()]);
    }
    table
}

/// The run itself, one line per property.
fn about(run: &ShownRun, out: Out) -> String {
    let status = run.status.to_string();
    let mut lines = vec![
        ("run", plain(&run.run_id)),
        ("status", out.painted(&status, &status)),
        ("function", plain(&run.function_id)),
        (
            "event",
            format!("{} {}", plain(&run.event_type), plain(&run.event_id)),
        ),
    ];
    lines.extend(
        run.build
            .as_ref()
            .map(|build| ("begun by build", plain(build))),
    );
    lines.extend(run.parent.as_ref().map(|id| ("parent", plain(id))));
    lines.extend(run.tags.iter().map(|tag| ("tag", plain(tag))));
    if run.failed_attempts > 0 {
        lines.push(("failed attempts", run.failed_attempts.to_string()));
    }
    lines.push(("published", time(run.created_at)));
    let times = [
        ("started", run.started_at),
        ("ended", run.finished_at),
        ("goes on", run.due_at),
        // What it has done in time needs no limit any more.
        (
            "starts by",
            run.start_by.filter(|_| run.started_at.is_none()),
        ),
        (
            "ends by",
            run.finish_by.filter(|_| !run.status.is_finished()),
        ),
    ];
    for (name, moment) in times {
        lines.extend(moment.map(|moment| (name, time(moment))));
    }
    lines.extend(run.why.iter().map(|why| ("why", plain(why))));
    if let Some(since) = run.function_paused_at {
        let text = format!(
            "its function is paused since {}; resume it with `belts resume {}`",
            time(since),
            plain(&run.function_id)
        );
        lines.push(("held", text));
    }
    let parked = run.steps.iter().flatten().filter(|step| step.parked);
    lines.extend(parked.map(|step| {
        let (id, step) = (plain(&run.run_id), plain(&step.path));
        let text = format!(
            "nobody knows whether the step `{step}` has happened; say so: `belts settle {id} {step}` with `--value JSON`, `--retry` or \
             `--fail TEXT`"
        );
        ("held", text)
    }));
    if let (Some(start), Some(end)) = (run.started_at, run.finished_at) {
        let millis = u64::try_from(end.0.since(start.0).as_millis()).unwrap_or(u64::MAX);
        lines.push(("took", took(millis)));
    }
    let waits = run
        .steps
        .iter()
        .flatten()
        .filter_map(|step| step.waiting.as_ref());
    lines.extend(waits.map(|wait| ("waiting", plain(wait))));
    let started = run.steps.iter().flatten().filter_map(|step| {
        let run = step.run.as_ref()?;
        Some(plain(&format!("{} {run}", step.path)))
    });
    lines.extend(started.map(|started| ("child", started)));
    let cancel_on = run.cancel_on.as_ref();
    lines.extend(cancel_on.map(|event| ("cancel on", plain(event))));
    let shown = run.status_value.as_ref();
    lines.extend(shown.map(|json| ("status value", plain(json.get()))));
    lines.extend(run.steps.iter().flatten().filter_map(progress));
    lines.extend(
        run.error
            .as_ref()
            .map(|error| ("error", plain(&error.report()))),
    );
    lines.extend(
        run.payload
            .as_ref()
            .map(|json| ("payload", plain(json.get()))),
    );
    lines.extend(
        run.output
            .as_ref()
            .map(|json| ("output", plain(json.get()))),
    );
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("{name:<16} {value}"))
        .collect();
    lines.join("\n") + "\n"
}

fn journal(steps: &[ShownStep]) -> Table {
    let mut table = Table::new(
        &["STEP", "STATE", "ATTEMPTS", "STARTED", "TOOK", "ERROR"],
        1,
    );
    for step in steps {
        let waits = step.due_at.filter(|_| step.state == StepState::Waiting);
        table.row(&[
            step.path.clone(),
            state(step).to_owned(),
            step.attempts.to_string(),
            time(step.started_at),
            match (step.duration_ms, waits) {
                (Some(millis), _) => took(millis),
                (None, Some(due_at)) => format!("until {}", time(due_at)),
                (None, None) => String::new(),
            },
            step.error
                .as_ref()
                .map(crate::codec::Failure::report)
                .unwrap_or_default(),
        ]);
    }
    table
}

/// How far a step is that is not over.
fn progress(step: &ShownStep) -> Option<(&'static str, String)> {
    let json = step.progress.as_ref()?;
    let text = format!("{} {}", plain(&step.path), plain(json.get()));
    (step.state == StepState::Waiting && !step.left).then_some(("progress", text))
}

fn state(step: &ShownStep) -> &'static str {
    match step.state {
        _ if step.left => "left",
        _ if step.parked => "parked",
        // Its attempt has sent a heartbeat, and nothing else is known of it.
        StepState::Waiting if step.due_at.is_none() && step.progress.is_some() => "begun",
        StepState::Waiting => "waiting",
        StepState::Completed => "completed",
        StepState::Failed => "failed",
    }
}

fn output(step: &ShownStep) -> Result<(), Wrong> {
    let Some(json) = &step.output else {
        return Ok(());
    };
    print::write(&format!(
        "\n{}\n  {}\n",
        plain(&step.path),
        plain(json.get())
    ))
}

pub(super) async fn cancel(place: &dyn Place, ids: &[String], out: Out) -> Result<(), Wrong> {
    let mut told = Ok(());
    for id in ids {
        match place.cancel(id).await {
            Ok(changed) if changed.changed => say(&changed, "cancelled", out)?,
            Ok(changed) => told = refused(&changed, "cancelled", out),
            Err(error) => told = mishap(error.report()),
        }
    }
    told
}

pub(super) async fn rerun(place: &dyn Place, asked: &RerunArgs, out: Out) -> Result<(), Wrong> {
    let ids = if asked.ids.is_empty() {
        chosen(place, asked).await?
    } else {
        asked.ids.clone()
    };
    let mut told = Ok(());
    for id in &ids {
        match place.rerun(id, asked.from.as_deref()).await {
            Ok(changed) if changed.changed => say(&changed, "goes on", out)?,
            Ok(changed) => told = refused(&changed, "run again", out),
            Err(error) => told = mishap(error.report()),
        }
    }
    told
}

impl RerunArgs {
    /// Checks what clap cannot: whether runs are given by id or selected, and can be rerun.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.ids.is_empty() && self.which.status.is_empty() {
            return Err(Wrong::usage(
                "which runs? Give their ids, or select them with `--status failed`, and if needed `--since` and `--function`",
            ));
        }
        if self.ids.is_empty() && self.from.is_some() {
            return Err(Wrong::usage(
                "`--from` is a step of one function: give the ids of its runs",
            ));
        }
        let again = [RunStatus::Failed, RunStatus::Cancelled].map(RunStatus::as_str);
        let other = self
            .which
            .status
            .iter()
            .find(|word| !again.contains(&&***word));
        other.map_or(Ok(()), |other| {
            Err(Wrong::usage(format!(
                "`--status {other}`: only `failed` or `cancelled` runs can be rerun"
            )))
        })
    }
}

/// The runs that match the filters, once somebody has confirmed.
async fn chosen(place: &dyn Place, asked: &RerunArgs) -> Result<Vec<String>, Wrong> {
    let (runs, more) = collect(place, conditions(&asked.which), MOST_CHOSEN).await?;
    if more.is_some() {
        return Err(Wrong::usage(format!(
            "more than {MOST_CHOSEN} runs match, so nothing was changed: select fewer with `--since`, `--until` or `--function`"
        )));
    }
    if runs.is_empty() {
        print::tell("there is no such run");
        return Ok(Vec::new());
    }
    if !asked.yes {
        agree(&plural(runs.len(), "run"), "run again")?;
    }
    Ok(runs.into_iter().map(|run| run.run_id).collect())
}

/// Asks the user at the terminal; without a terminal, `--yes` is required.
pub(super) fn agree(what: &str, how: &str) -> Result<(), Wrong> {
    ask(
        &format!("{what} will {how}; go on?"),
        &format!("{what} would {how}: add `--yes`"),
    )
}

/// Asks at the terminal; where there is none, it refuses.
pub(super) fn ask(question: &str, refusal: &str) -> Result<(), Wrong> {
    if !io::stdin().is_terminal() {
        return Err(Wrong::usage(refusal));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    // If the question cannot be printed, the answer still can be read.
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Wrong::failed("cannot read the answer", error))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Wrong::Failed("nothing was changed".to_owned())),
    }
}

fn say(changed: &Changed, what: &str, out: Out) -> Result<(), Wrong> {
    if out.json {
        print::object(changed)
    } else {
        print::write(&format!("{} {what}\n", plain(&changed.run_id)))
    }
}

fn refused(changed: &Changed, wanted: &str, out: Out) -> Result<(), Wrong> {
    if out.json {
        print::object(changed)?;
    }
    print::unchanged(&changed.run_id, changed.status, wanted);
    Err(Wrong::Said)
}

/// Prints why one of several failed.
fn mishap(report: String) -> Result<(), Wrong> {
    Wrong::Failed(report).tell();
    Err(Wrong::Said)
}

/// Purges part by part, and shows the progress if it takes long.
pub(super) async fn purge(place: &dyn Place, before: Timestamp, out: Out) -> Result<(), Wrong> {
    let mut all = ShownPurge::default();
    loop {
        let part = place
            .purge(before)
            .await
            .map_err(|error| stopped(error, &all))?;
        let nothing = part.purged == 0 && part.events == 0;
        all.purged += part.purged;
        all.events += part.events;
        // A server that says there is more, but removes nothing, is not asked forever.
        all.more = part.more;
        if nothing || !part.more {
            break;
        }
        print::tell(&format!("purged {} so far", purged(&all)));
    }
    if out.json {
        print::object(&all)?;
    } else {
        print::write(&format!("purged {}\n", purged(&all)))?;
    }
    if all.more {
        print::tell("some runs could not be removed now; run this again");
    }
    Ok(())
}

fn purged(all: &ShownPurge) -> String {
    let runs = plural(all.purged, "run");
    match all.events {
        0 => runs,
        events => format!(
            "{runs} and {} that started nothing",
            plural(events, "event")
        ),
    }
}

/// What was purged before a failure stays purged.
fn stopped(error: Error, all: &ShownPurge) -> Wrong {
    if all.purged + all.events > 0 {
        print::tell(&format!("purged {} before it stopped", purged(all)));
    }
    error.into()
}
