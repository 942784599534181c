//! What the store says in the end, beside the proof from the log.

use std::collections::{BTreeMap, HashSet};

use belts::{
    Worker,
    store::{Entry, RunFilter, RunRecord, RunStatus, StepState},
};

use crate::{
    Failure,
    log::{Log, What},
    patience::persist,
};

/// The store has the same runs, each with the output and the steps that the log has.
pub(crate) async fn agrees(worker: &Worker, runs: usize, log: &Log) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let mut filter = RunFilter::new().with_limit(500);
    loop {
        let page = persist(|| worker.store().list(filter.clone()), |_| {}).await?;
        for run in page.runs {
            let places = log
                .runs
                .get(&*run.run_id)
                .ok_or_else(|| format!("no function knows of {run:?}"))?;
            let end = places
                .iter()
                .find_map(|place| match &log.lines[*place].what {
                    What::End(output) => Some(output.as_str()),
                    _ => None,
                });
            let whole = persist(|| worker.store().run(&run.run_id), |_| {}).await?;
            let result = whole.and_then(|run| run.result);
            let result = result
                .as_deref()
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            let agrees = match end {
                Some("failed") => run.status == RunStatus::Failed,
                Some(output) => {
                    run.status == RunStatus::Completed && result.contains(&format!("\"{output}\""))
                }
                None => false,
            };
            if !agrees {
                return Err(format!(
                    "the log has {end:?}, and the store has {run:?} with {result}"
                )
                .into());
            }
            let journal = persist(|| worker.store().journal(&run.run_id), |_| {}).await?;
            if let Some(step) = forgotten(log, places, &journal) {
                return Err(
                    format!("{step} returned, and {run:?} has the journal {journal:?}").into(),
                );
            }
            if let Some(step) = left_undone(&run, &journal) {
                return Err(format!(
                    "{step} is not undone, and {run:?} has the journal {journal:?}"
                )
                .into());
            }
            seen.insert(run.run_id);
        }
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    if seen.len() == runs {
        Ok(())
    } else {
        Err(format!("the store has {} runs instead of {runs}", seen.len()).into())
    }
}

/// A step of a failed run that could be undone, and is not.
fn left_undone<'a>(run: &RunRecord, journal: &'a [Entry]) -> Option<&'a str> {
    let is_undone = |entry: &&Entry| {
        let undo = format!("undo:{}", entry.path);
        let mut journal = journal.iter();
        journal.any(|other| *other.path == undo && other.state == StepState::Completed)
    };
    let mut undoable = journal.iter().filter(|entry| entry.undoable);
    let left = undoable.find(|entry| run.status == RunStatus::Failed && !is_undone(entry))?;
    Some(&left.path)
}

/// A step that returned, and whose result is not what the journal has.
fn forgotten<'a>(log: &'a Log, places: &[usize], journal: &[Entry]) -> Option<&'a str> {
    let recorded: BTreeMap<&str, String> = journal
        .iter()
        .filter(|entry| entry.state != StepState::Waiting)
        .map(|entry| {
            (
                &*entry.path,
                String::from_utf8_lossy(&entry.value).into_owned(),
            )
        })
        .collect();
    places
        .iter()
        .find_map(|place| match &log.lines[*place].what {
            What::Returned(step, mark) if mark != "slept" => {
                let recorded = recorded.get(step.as_str());
                let kept = recorded.is_some_and(|value| value.contains(&format!("{mark}\"")));
                (!kept).then_some(step.as_str())
            }
            _ => None,
        })
}
