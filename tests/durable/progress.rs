//! Heartbeats and the status of a run: the last one counts, whatever fails, crashes or comes again.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use belts::{
    Context, ErrorKind, step,
    store::{Memory, StepState},
    terminal,
    testing::{Harness, ManualClock, Reopen},
};
use futures_util::future::try_join_all;

use crate::gated::{
    Named, effect, effects, eventually, gate, looped, named, only, open, within, worker_of,
};

mod crashes;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// The clocks of the tests whose steps move them, by name.
static CLOCKS: Mutex<BTreeMap<String, ManualClock>> = Mutex::new(BTreeMap::new());

pub(crate) fn pass(name: &str, time: Duration) {
    let clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    clocks[name].advance(time);
}

pub(crate) async fn harness_of<M>(name: &str, function: impl belts::Function<M>) -> Harness {
    harness_in(name, function, Memory::new()).await
}

async fn harness_in<M>(
    name: &str,
    function: impl belts::Function<M>,
    place: impl Reopen,
) -> Harness {
    let builder = Harness::builder().store(place).function(function);
    let harness = builder.build().await.unwrap();
    let mut clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    clocks.insert(name.to_owned(), harness.clock());
    harness
}

/// Delivers an event, and leaves its run where it waits.
pub(crate) async fn begun(harness: &Harness, event: Named) -> String {
    harness.publish(event).await.unwrap();
    harness.travel(SECOND).await.unwrap();
    let runs = harness.worker().runs().list().await.unwrap().runs;
    runs[0].run_id.to_string()
}

async fn two_rows_each(name: &str, cx: &Context) -> anyhow::Result<u32> {
    let done = cx.last_heartbeat::<u32>()?.unwrap_or(0);
    effect(format!("{name} from {done}"));
    cx.heartbeat(&(done + 1)).await?;
    cx.heartbeat(&(done + 2)).await?;
    // What this attempt has sent changes nothing.
    assert_eq!(cx.last_heartbeat::<u32>()?.unwrap_or(0), done);
    if done < 4 {
        anyhow::bail!("the connection broke");
    }
    Ok(done)
}

#[belts::function(id = "z-progress-imports", on = Named)]
async fn imports(event: Named, cx: Context) -> belts::Result<u32> {
    step!("import", two_rows_each(&event.name, &cx)).await
}

/// Only the first of the two is written at once; the next attempt must see the other.
#[tokio::test]
async fn the_next_attempt_sees_the_last_heartbeat() {
    let harness = harness_of("attempts", imports).await;
    let run = harness.run(imports, named("attempts")).await.unwrap();
    assert_eq!(run.output().unwrap(), 4);
    for done in [0, 2, 4] {
        assert_eq!(effects(&format!("attempts from {done}")), 1);
    }
    assert_eq!(run.attempts("import"), 3);
    assert_eq!(run.progress::<u32>("import").unwrap(), Some(6));
    run.assert_steps(&["import"]);
    let wrong = run.progress::<String>("import").unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Codec);
    assert!(run.status_value::<String>().unwrap().is_none());
}

/// An attempt that sends none leaves the last one to the attempt after it, in this process and in another.
#[tokio::test]
async fn a_silent_attempt_takes_nothing_from_the_next() {
    let harness = harness_of("silent", silent).await;
    begun(&harness, named("silent")).await;
    for _ in 0..2 {
        harness.restart().await.unwrap();
        harness.travel(2 * HOUR).await.unwrap();
    }
    let run = only(harness.runs_of(silent).await);
    assert_eq!(run.output().unwrap(), Some(7));
    assert_eq!(run.attempts("work"), 3);
}

#[belts::function(id = "z-progress-silent", on = Named)]
async fn silent(event: Named, cx: Context) -> belts::Result<Option<u32>> {
    let work = async || {
        effect(format!("{} attempts", event.name));
        match effects(&format!("{} attempts", event.name)) {
            1 => cx.heartbeat(&7).await?,
            2 => {}
            _ => return Ok(cx.last_heartbeat::<u32>()?),
        }
        Err(anyhow::anyhow!("not yet"))
    };
    step!("work", work(), backoff = "1h..1h").await
}

#[belts::function(id = "z-progress-throttled", on = Named)]
async fn throttled(event: Named, cx: Context) -> belts::Result<()> {
    let work = async || {
        for beat in 1..=3 {
            cx.heartbeat(&beat).await?;
        }
        effect(format!("{} sent", event.name));
        gate(&event.name).await;
        Ok::<_, belts::Error>(())
    };
    step!("work", work()).await
}

/// The last of several in one second is written when the second is over, although the step sends no more.
#[tokio::test]
async fn the_last_heartbeat_is_written_while_the_step_is_silent() {
    let clock = ManualClock::default();
    let worker = worker_of(Memory::new(), throttled, &clock).await;
    let call = throttled(named("throttled")).run_id("r").via(&worker);
    let handle = call.start().await.unwrap();
    let working = looped(&worker);
    eventually("the heartbeats", async || effects("throttled sent") == 1).await;
    let shown = async || {
        let journal = worker.runs().journal("r").await.unwrap();
        assert_eq!((journal.len(), journal[0].state), (1, StepState::Waiting));
        assert!(journal[0].output().is_none());
        journal[0].progress().unwrap().get().to_owned()
    };
    assert_eq!(shown().await, "1");
    clock.advance(SECOND);
    eventually("the last one", async || shown().await == "3").await;
    open("throttled");
    within("the result", handle.result()).await.unwrap();
    worker.shutdown();
    within("the end", working).await.unwrap().unwrap();
}

async fn beats_then_hangs(name: &str, cx: &Context) -> belts::Result<u32> {
    if let Some(done) = cx.last_heartbeat()? {
        return Ok(done);
    }
    for beat in 1..=3 {
        pass(name, 20 * SECOND);
        tokio::task::yield_now().await;
        cx.heartbeat(&beat).await?;
    }
    pass(name, 31 * SECOND);
    pending().await
}

#[belts::function(id = "z-progress-stalls", on = Named)]
async fn stalls(event: Named, cx: Context) -> belts::Result<u32> {
    let name = &event.name;
    step!(
        "work",
        beats_then_hangs(name, &cx),
        stall = "30s",
        retries = 1
    )
    .await
}

/// The whole attempt takes longer than that; only silence counts.
#[tokio::test]
async fn an_attempt_that_stalls_has_failed_and_the_next_goes_on() {
    let harness = harness_of("stalls", stalls).await;
    let run = harness.run(stalls, named("stalls"));
    let run = within("the run", async { run.await.unwrap() }).await;
    assert_eq!(run.output().unwrap(), 3);
    assert_eq!(run.attempts("work"), 2);
}

#[belts::function(id = "z-progress-mute", on = Named, retries = 0)]
async fn mute(event: Named, cx: Context) -> belts::Result<u32> {
    let name = &event.name;
    let stall = 30 * SECOND;
    step!(
        "work",
        beats_then_hangs(name, &cx),
        stall = stall,
        timeout = "1h",
        retries = 0
    )
    .await
}

#[tokio::test]
async fn an_attempt_that_never_sends_a_heartbeat_stalls_too() {
    let harness = harness_of("mute", mute).await;
    harness.preset_hang("work");
    let before = harness.now();
    let run = harness.run(mute, named("mute")).await.unwrap();
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::StepFailed);
    let text = error.report();
    assert_eq!(
        text,
        "step `work` failed: stalled: no heartbeat came for 30s"
    );
    assert_eq!(harness.now().since(before), 30 * SECOND);
    let failure = run.journal()[0].failure().unwrap();
    assert_eq!(failure.kind, "timed-out");
}

#[belts::function(id = "z-progress-many", on = Named)]
async fn many(event: Named, cx: Context) -> belts::Result<usize> {
    let statuses = (0..100).map(|number| cx.set_status(&number));
    try_join_all(statuses).await?;
    let work = async || {
        let beats = (0..100).map(|number| cx.heartbeat(&number));
        try_join_all(beats).await?;
        Ok::<_, belts::Error>(event.name.len())
    };
    let one = step!("one", work());
    let other = step!("other", event.name.len());
    let (one, other) = tokio::try_join!(one, other)?;
    Ok(one + other)
}

/// Of entries of one `seq` the store is told only the last, and nobody who waits for another is forgotten.
#[tokio::test]
async fn many_at_once_are_one_write() {
    let harness = harness_of("many", many).await;
    let run = harness.run(many, named("many"));
    let run = within("the run", async { run.await.unwrap() }).await;
    assert_eq!(run.output().unwrap(), 8);
    assert_eq!(run.status_value::<u32>().unwrap(), Some(99));
    assert_eq!(run.progress::<u32>("one").unwrap(), Some(99));
}

#[belts::function(id = "z-progress-fails", on = Named, retries = 0)]
async fn fails(event: Named, cx: Context) -> belts::Result<u32> {
    let name = &event.name;
    cx.set_status("first").await?;
    step!("first", heard(name, &cx)).await?;
    cx.set_status("second").await?;
    let work = async || {
        heard(name, &cx).await?;
        if effects(&format!("{name} fixed")) == 0 {
            return Err(terminal("not fixed"));
        }
        Ok(1)
    };
    step!("second", work()).await
}

/// Counts whether there was an earlier heartbeat, and sends one.
async fn heard(name: &str, cx: &Context) -> belts::Result<()> {
    let earlier = cx.last_heartbeat::<u32>()?;
    effect(format!("{name} heard {earlier:?}"));
    cx.heartbeat(&1).await
}

#[tokio::test]
async fn a_rerun_drops_the_heartbeats_with_their_steps() {
    let harness = harness_of("fails", fails).await;
    let run = harness
        .run(fails, named("fails"))
        .run_id("r")
        .await
        .unwrap();
    run.assert_failed();
    assert_eq!(run.progress::<u32>("second").unwrap(), Some(1));
    let worker = harness.worker();
    let unknown = worker.runs().rerun_from("r", "~status").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownRun);
    assert!(worker.runs().rerun("r").await.unwrap());
    harness.settle().await.unwrap();
    assert_eq!(effects("fails heard None"), 3);
    assert!(worker.runs().rerun_from("r", "first").await.unwrap());
    effect("fails fixed");
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(fails).await);
    assert_eq!(run.output().unwrap(), 1);
    assert_eq!(effects("fails heard None"), 5);
    assert_eq!(effects("fails heard Some(1)"), 0);
    assert_eq!(
        run.status_value::<String>().unwrap().as_deref(),
        Some("second")
    );
}

#[belts::function(id = "z-progress-misplaced", on = Named, retries = 0)]
async fn misplaced(event: Named, cx: Context) -> belts::Result<Vec<String>> {
    let _ = event;
    let beyond = "x".repeat(3_000);
    let there = cx.clone();
    let spawned = async move { tokio::spawn(async move { there.set_status(&1).await }).await };
    let in_step = async || {
        let heartbeat = cx.heartbeat(&beyond).await.unwrap_err();
        let there = cx.clone();
        let spawned = tokio::spawn(async move { there.heartbeat(&1).await }).await;
        let spawned = spawned.unwrap().unwrap_err();
        Ok::<_, belts::Error>([told(heartbeat), told(spawned)])
    };
    let [heartbeat, other_task] = step!("step", in_step()).await?;
    Ok(vec![
        told(cx.heartbeat(&1).await.unwrap_err()),
        told(cx.last_heartbeat::<u32>().unwrap_err()),
        told(cx.set_status(&beyond).await.unwrap_err()),
        told(spawned.await.unwrap().unwrap_err()),
        heartbeat,
        other_task,
    ])
}

#[expect(clippy::needless_pass_by_value, reason = "the errors are at hand")]
fn told(error: belts::Error) -> String {
    format!("{:?}: {error}", error.kind())
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_an_error() {
    let builder = Harness::builder()
        .function(misplaced)
        .worker(|worker| worker.max_value_bytes(2_000));
    let harness = builder.build().await.unwrap();
    let run = harness.run(misplaced, named("misplaced")).run_id("r");
    let errors = run.await.unwrap().output().unwrap();
    let expected = [
        "Config: `heartbeat` is called outside of a step: heartbeats are those of a step's expression, as in step!(\"import\", \
         import(&cx)); for the run as a whole there is `set_status`",
        "Config: `last_heartbeat` is called outside of a step: ",
        "TooLarge: the status has 3002 bytes, over the limit of 2000: keep it elsewhere and say where, or raise `max_value_bytes`",
        "Config: `set_status` is called outside of its run `r`, as on a task that it has spawned; call it in the function or in the \
         step's expression itself",
        "TooLarge: the heartbeat has 3002 bytes, over the limit of 2000: ",
        "Config: `heartbeat` is called outside of its run `r`, ",
    ];
    assert_eq!(errors.len(), expected.len());
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
}
