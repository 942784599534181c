//! How flow options are applied to a run, for stores that decide in Rust: written once, over the few reads and writes that it needs.

use std::sync::Arc;

#[cfg(any(feature = "postgres", feature = "redis"))]
use super::lanes::{lane_text, lanes_of};
use crate::{
    codec,
    error::{Error, ErrorKind},
    store::{
        Batch, Debounce, Flow, Mark, Once, Rate, Routed, Routing, Singleton, Skipped, SkippedBy,
        Then, Timestamp,
    },
};

/// How far the clocks of publishers may differ: a minute.
const SKEW_MICROS: i64 = 60_000_000;

/// What a store keeps of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Kept {
    /// Of a rate, when the next one is on time, in microseconds; of what is open, when it was opened, in milliseconds.
    pub(in crate::store) at: i64,
    /// The run that has the key.
    pub(in crate::store) run_id: Option<Arc<str>>,
    /// How many events it has.
    pub(in crate::store) count: u32,
    /// Until when it says anything.
    pub(in crate::store) until: Timestamp,
}

/// A run to which flow options are to be applied.
#[derive(Debug, Clone)]
pub(in crate::store) struct Routable {
    pub(in crate::store) number: i64,
    pub(in crate::store) run_id: Arc<str>,
    pub(in crate::store) function_id: Arc<str>,
    /// The place of its event in the order of publishing.
    pub(in crate::store) event: i64,
    pub(in crate::store) routing: Routing,
    /// From when on it would go on.
    pub(in crate::store) at: Timestamp,
    /// Whether that is later than now.
    pub(in crate::store) is_delayed: bool,
}

/// A run that has the last event of a key.
pub(in crate::store) struct Open {
    pub(in crate::store) number: i64,
    pub(in crate::store) event: i64,
    /// Whether events may be added: it is held, and no claim has brought it.
    pub(in crate::store) takes_more: bool,
}

/// The run that has the last event of a key, with its id.
type Last = Option<(Open, Arc<str>)>;

/// What a store reads and writes for that.
pub(in crate::store) trait Rows {
    type Fault;

    fn kept(&mut self, id: &str) -> Result<Option<Kept>, Self::Fault>;
    fn keep(&mut self, id: &str, kept: &Kept) -> Result<(), Self::Fault>;
    /// The run of this id, if there is one.
    fn open(&mut self, run_id: &str) -> Result<Option<Open>, Self::Fault>;
    /// The unfinished runs of a singleton, in the order of publishing, but for this one: all of them, or one at least.
    fn singles(
        &mut self,
        id: &str,
        but: i64,
        all: bool,
    ) -> Result<Vec<(i64, Arc<str>)>, Self::Fault>;
    fn set_single(&mut self, number: i64, id: &str) -> Result<(), Self::Fault>;
    /// Lets a run wait, whether it is leased or not.
    fn hold(
        &mut self,
        number: i64,
        mark: &Mark,
        due_at: Option<Timestamp>,
    ) -> Result<(), Self::Fault>;
    /// Lets a run stand in line for the limits of its flow, unless it stands in one already; whether its lease has ended by that.
    fn stand(&mut self, number: i64, flow: &Flow) -> Result<bool, Self::Fault>;
    /// Marks a run that goes on as it is.
    fn mark(&mut self, number: i64, mark: &Mark) -> Result<(), Self::Fault>;
    /// Ends a run as cancelled without having driven it.
    fn skip(&mut self, number: i64, mark: &Mark, cause: Arc<[u8]>) -> Result<(), Self::Fault>;
    fn cancel(&mut self, number: i64) -> Result<(), Self::Fault>;
    /// Removes a run whose event is superseded, or is one of another run now.
    fn drop_run(&mut self, number: i64) -> Result<(), Self::Fault>;
    /// Makes the event of a run one of another.
    fn join(&mut self, open: i64, number: i64) -> Result<(), Self::Fault>;
}

/// Applies flow options to a run.
pub(in crate::store) fn apply<R: Rows>(
    rows: &mut R,
    run: &Routable,
    flow: &Flow,
) -> Result<Routed, R::Fault> {
    if run.routing == Routing::Done {
        return Ok(Routed::Starts);
    }
    if run.routing == Routing::Held {
        return start(rows, run, flow);
    }
    let once = match &flow.idempotent {
        Some(once) => match taken(rows, run, once)? {
            Ok(kept) => Some(kept),
            Err(skipped) => return skip(rows, run, flow, skipped),
        },
        None => None,
    };
    let rate = match &flow.rate_limit {
        Some(rate) => match admit(rows, run, rate)? {
            Some(kept) => Some(kept),
            None => return skip(rows, run, flow, Skipped::new(SkippedBy::RateLimit)),
        },
        None => None,
    };
    let mut queues = false;
    if let Some(Singleton { key, then }) = &flow.singleton {
        let id = id_of("singleton", run, key);
        let live = rows.singles(&id, run.number, *then == Then::Replace)?;
        match then {
            Then::Skip => {
                if let Some((_, live)) = live.into_iter().next() {
                    let skipped = Skipped::new(SkippedBy::Singleton).with_run(live);
                    return skip(rows, run, flow, skipped);
                }
            }
            Then::Replace => {
                // It comes late: the run of a later event stays.
                if let Some((_, later)) = live.iter().find(|(number, _)| *number > run.number) {
                    let skipped = Skipped::new(SkippedBy::Singleton).with_run(Arc::clone(later));
                    return skip(rows, run, flow, skipped);
                }
                for (number, _) in live {
                    rows.cancel(number)?;
                }
            }
            Then::Queue => queues = !live.is_empty(),
        }
        rows.set_single(run.number, &id)?;
    }
    for (id, kept) in once.into_iter().chain(rate) {
        rows.keep(&id, &kept)?;
    }
    if queues {
        return rest(rows, run, flow, &Mark::Queues, None);
    }
    if let Some(debounce) = &flow.debounce {
        return fold(rows, run, flow, debounce);
    }
    if let Some(batch) = &flow.batch {
        return collect(rows, run, flow, batch);
    }
    if run.is_delayed {
        return rest(rows, run, flow, &Mark::Delayed, Some(run.at));
    }
    start(rows, run, flow)
}

/// Lets a run wait, and stand in line once that is over.
fn rest<R: Rows>(
    rows: &mut R,
    run: &Routable,
    flow: &Flow,
    mark: &Mark,
    due_at: Option<Timestamp>,
) -> Result<Routed, R::Fault> {
    rows.hold(run.number, mark, due_at)?;
    if flow.stands_in_line() {
        rows.stand(run.number, flow)?;
    }
    Ok(Routed::waits(due_at))
}

/// Lets a run start, in its turn.
fn start<R: Rows>(rows: &mut R, run: &Routable, flow: &Flow) -> Result<Routed, R::Fault> {
    let Some(rate) = &flow.throttle else {
        return go(rows, run, flow);
    };
    let id = id_of("throttle", run, &rate.key);
    let next = rows.kept(&id)?.map(|kept| kept.at);
    let (due_at, next) = turn(rate, next, run.at);
    rows.keep(&id, &of_rate(next))?;
    if due_at <= run.at {
        return go(rows, run, flow);
    }
    rest(rows, run, flow, &Mark::Throttled, Some(due_at))
}

/// Lets a run go on, or stand in line for that.
fn go<R: Rows>(rows: &mut R, run: &Routable, flow: &Flow) -> Result<Routed, R::Fault> {
    rows.mark(run.number, &Mark::Starts)?;
    if flow.stands_in_line() && rows.stand(run.number, flow)? {
        return Ok(Routed::waits(Some(run.at)));
    }
    Ok(Routed::Starts)
}

fn skip<R: Rows>(
    rows: &mut R,
    run: &Routable,
    flow: &Flow,
    skipped: Skipped,
) -> Result<Routed, R::Fault> {
    let cause = skip_cause(&skipped);
    rows.skip(run.number, &Mark::Skipped(skipped.clone()), cause)?;
    // Whoever reruns it passes the option by, and not the limits of runs at once.
    if flow.stands_in_line() {
        rows.stand(run.number, flow)?;
    }
    Ok(Routed::Skipped(skipped))
}

/// What is to be kept of a key that nobody has, or who has it.
fn taken<R: Rows>(
    rows: &mut R,
    run: &Routable,
    once: &Once,
) -> Result<Result<(String, Kept), Skipped>, R::Fault> {
    let id = id_of("idempotent", run, &once.key);
    let has = |kept: &Kept| kept.until > run.at && kept.run_id.as_ref() != Some(&run.run_id);
    if let Some(kept) = rows.kept(&id)?.filter(has) {
        return Ok(Err(
            Skipped::new(SkippedBy::Idempotent).with_run(kept.run_id)
        ));
    }
    let kept = Kept {
        at: run.at.as_millis(),
        run_id: Some(Arc::clone(&run.run_id)),
        count: 1,
        until: run.at.after(once.within),
    };
    Ok(Ok((id, kept)))
}

/// What is to be kept of a rate that allows one more.
fn admit<R: Rows>(
    rows: &mut R,
    run: &Routable,
    rate: &Rate,
) -> Result<Option<(String, Kept)>, R::Fault> {
    let id = id_of("rate_limit", run, &rate.key);
    // What lies further ahead than any of these could was kept by a clock that was set back since; the clocks of publishers differ a
    // little.
    let ahead = rate.ahead_micros().saturating_add(rate.interval_micros());
    let most = micros(run.at).saturating_add(ahead.saturating_add(SKEW_MICROS));
    let next = rows.kept(&id)?.map(|kept| kept.at);
    let next = next.filter(|next| *next <= most);
    let (due_at, next) = turn(rate, next, run.at);
    Ok((due_at <= run.at).then(|| (id, of_rate(next))))
}

/// Adds the event to the run that is open for its key, which keeps the last of both, or opens one.
fn fold<R: Rows>(
    rows: &mut R,
    run: &Routable,
    flow: &Flow,
    debounce: &Debounce,
) -> Result<Routed, R::Fault> {
    let id = id_of("debounce", run, &debounce.key);
    let (open, first) = open_of(rows, &id, run)?;
    let mut due_at = run.at.after(debounce.period);
    if let Some(max) = debounce.max {
        due_at = due_at.min(first.after(max));
    }
    let mut kept = Kept {
        at: first.as_millis(),
        run_id: Some(Arc::clone(&run.run_id)),
        count: 1,
        until: due_at,
    };
    match open {
        // It was published before the last one, and comes late, whether that one has begun or not.
        Some((open, run_id)) if open.event > run.event => {
            if open.takes_more {
                kept.run_id = Some(Arc::clone(&run_id));
                rows.keep(&id, &kept)?;
                rows.hold(open.number, &Mark::Debounced, Some(due_at))?;
            }
            rows.drop_run(run.number)?;
            return Ok(Routed::joined(run_id));
        }
        Some((open, _)) if open.takes_more => rows.drop_run(open.number)?,
        _ => {}
    }
    rows.keep(&id, &kept)?;
    rest(rows, run, flow, &Mark::Debounced, Some(due_at))
}

/// Adds the event to the batch that is open for its key, or opens one.
fn collect<R: Rows>(
    rows: &mut R,
    run: &Routable,
    flow: &Flow,
    batch: &Batch,
) -> Result<Routed, R::Fault> {
    let id = id_of("batch", run, &batch.key);
    let count = rows.kept(&id)?.map_or(0, |kept| kept.count);
    let (open, first) = open_of(rows, &id, run)?;
    let open = open.filter(|(open, _)| open.takes_more && count < batch.size);
    let Some((open, run_id)) = open else {
        let due_at = if batch.size <= 1 {
            run.at
        } else {
            run.at.after(batch.within)
        };
        let kept = Kept {
            at: run.at.as_millis(),
            run_id: Some(Arc::clone(&run.run_id)),
            count: 1,
            until: due_at,
        };
        rows.keep(&id, &kept)?;
        return rest(rows, run, flow, &Mark::Batched, Some(due_at));
    };
    let is_full = count + 1 >= batch.size;
    let by = first.after(batch.within);
    let due_at = if is_full { by.min(run.at) } else { by };
    let kept = Kept {
        at: first.as_millis(),
        run_id: Some(Arc::clone(&run_id)),
        count: count + 1,
        until: due_at,
    };
    rows.keep(&id, &kept)?;
    rows.join(open.number, run.number)?;
    rows.drop_run(run.number)?;
    rows.hold(open.number, &Mark::Batched, Some(due_at))?;
    Ok(Routed::joined(run_id))
}

/// The run that has the last event of a key, with its id, and since when it is open, which is now where it is not.
fn open_of<R: Rows>(rows: &mut R, id: &str, run: &Routable) -> Result<(Last, Timestamp), R::Fault> {
    if let Some(Kept {
        at,
        run_id: Some(run_id),
        ..
    }) = rows.kept(id)?
        && run_id != run.run_id
        && let Some(open) = rows.open(&run_id)?
    {
        // A clock that was set back has it begin now.
        let since = if open.takes_more {
            Timestamp::from_millis(at).min(run.at)
        } else {
            run.at
        };
        return Ok((Some((open, run_id)), since));
    }
    Ok((None, run.at))
}

/// When one may come that would like to at `at`, and when the next is on time, in microseconds: the generic cell rate algorithm.
pub(in crate::store) fn turn(rate: &Rate, next: Option<i64>, at: Timestamp) -> (Timestamp, i64) {
    let now = micros(at);
    let next = next.map_or(now, |next| next.max(now));
    let due = now.max(next.saturating_sub(rate.ahead_micros()));
    // Rounded up: never before its time.
    let due_at =
        Timestamp::from_millis(due.div_euclid(1_000) + i64::from(due.rem_euclid(1_000) > 0));
    (due_at.max(at), next.saturating_add(rate.interval_micros()))
}

fn of_rate(next: i64) -> Kept {
    Kept {
        at: next,
        run_id: None,
        count: 1,
        until: Timestamp::from_millis(next / 1_000 + 1),
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

/// Under what a store keeps a key of an option.
pub(in crate::store) fn flow_id(option: &str, function_id: &str, key: &str) -> String {
    format!("{option}:{function_id}:{key}")
}

fn id_of(option: &str, run: &Routable, key: &str) -> String {
    flow_id(option, &run.function_id, key)
}

/// Why a run was skipped, as the envelope of a failure.
pub(in crate::store) fn skip_cause(skipped: &Skipped) -> Arc<[u8]> {
    let text = format!("it was skipped by `{}`", skipped.by.as_str());
    codec::envelope(&Error::new(ErrorKind::Cancelled, text))
}

/// Flow options as the scripts and functions of a server take them, as JSON, and the ids under which their keys are kept.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(in crate::store) fn written(
    function_id: &str,
    flow: &Flow,
    stored: impl Fn(&str) -> String,
) -> (serde_json::Value, Vec<String>) {
    use serde_json::{Value, json};

    let mut ids = Vec::new();
    let mut id = |option: &str, key: &str| {
        let id = stored(&flow_id(option, function_id, key));
        ids.push(id.clone());
        id
    };
    let cause = |by| String::from_utf8_lossy(&skip_cause(&Skipped::new(by))).into_owned();
    let millis =
        |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(FAR).min(FAR);
    let of_rate = |rate: &Rate, id: String| json!({ "id": id, "interval": rate.interval_micros(), "ahead": rate.ahead_micros() });
    let mut all = serde_json::Map::new();
    if let Some(Once { key, within }) = &flow.idempotent {
        let (id, cause) = (id("idempotent", key), cause(SkippedBy::Idempotent));
        let written = json!({ "id": id, "within": millis(*within), "cause": cause });
        all.insert("idempotent".into(), written);
    }
    if let Some(rate) = &flow.rate_limit {
        let mut written = of_rate(rate, id("rate_limit", &rate.key));
        written["cause"] = cause(SkippedBy::RateLimit).into();
        all.insert("rate_limit".into(), written);
    }
    if let Some(Singleton { key, then }) = &flow.singleton {
        let then = match then {
            Then::Skip => "skip",
            Then::Replace => "replace",
            Then::Queue => "queue",
        };
        let (id, cause) = (id("singleton", key), cause(SkippedBy::Singleton));
        all.insert(
            "singleton".into(),
            json!({ "id": id, "then": then, "cause": cause }),
        );
    }
    if let Some(Debounce { key, period, max }) = &flow.debounce {
        let (id, max) = (id("debounce", key), max.map(millis));
        let written = json!({ "id": id, "period": millis(*period), "max": max });
        all.insert("debounce".into(), written);
    }
    if let Some(Batch { key, size, within }) = &flow.batch {
        let (id, size) = (id("batch", key), (*size).min(i32::MAX.cast_unsigned()));
        all.insert(
            "batch".into(),
            json!({ "id": id, "size": size, "within": millis(*within) }),
        );
    }
    if let Some(rate) = &flow.throttle {
        all.insert("throttle".into(), of_rate(rate, id("throttle", &rate.key)));
    }
    if flow.stands_in_line() {
        let lanes = lanes_of(flow).into_iter();
        let mut lanes = lanes.map(|lane| stored(&lane_text(lane)));
        let (a, b, shift) = (lanes.next(), lanes.next(), flow.shift_millis());
        all.insert("lanes".into(), json!({ "a": a, "b": b, "shift": shift }));
    }
    (Value::Object(all), ids)
}

/// Longer than anybody waits, in milliseconds, and short enough to be added to a time as a double.
#[cfg(any(feature = "postgres", feature = "redis"))]
const FAR: i64 = 1_000_000_000_000;
