//! The functions that are measured: written as users write them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use belts::{Event, call, callback, sleep, step, wait};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::measure::{now, wall_micros};

/// What starts every function here.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Work {
    /// How many steps, where the function asks.
    pub(crate) steps: u32,
    /// When it was published, in microseconds since the Unix epoch.
    pub(crate) sent_at: u64,
}

impl Work {
    pub(crate) fn of(steps: u32) -> Self {
        Self {
            steps,
            sent_at: wall_micros(),
        }
    }
}

/// What every step returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    id: u32,
    product: String,
    cents: u64,
}

pub(crate) fn receipt(n: u32) -> Receipt {
    Receipt {
        id: n,
        product: "a-product-of-ours".into(),
        cents: 12_345,
    }
}

/// What the functions leave for those who measure.
pub(crate) struct Marks {
    at: Mutex<Vec<Instant>>,
    lags: Mutex<Vec<u64>>,
    steps: AtomicUsize,
    ends: AtomicUsize,
    told: Notify,
}

pub(crate) static MARKS: Marks = Marks {
    at: Mutex::new(Vec::new()),
    lags: Mutex::new(Vec::new()),
    steps: AtomicUsize::new(0),
    ends: AtomicUsize::new(0),
    told: Notify::const_new(),
};

impl Marks {
    fn mark(&self) {
        self.at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(now());
    }

    /// Marks this moment, and says that the function is there.
    fn tell(&self) {
        self.mark();
        self.told.notify_one();
    }

    /// The moments marked since the last call.
    pub(crate) fn take(&self) -> Vec<Instant> {
        std::mem::take(&mut self.at.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long events took to arrive, in microseconds.
    pub(crate) fn lags(&self) -> Vec<u64> {
        self.lags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns when a function has said that it is there.
    pub(crate) async fn told(&self) {
        // What an earlier row has told may be kept still.
        while self.is_empty() {
            self.told.notified().await;
        }
    }

    fn is_empty(&self) -> bool {
        let at = self.at.lock();
        at.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many steps were evaluated.
    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::Relaxed)
    }

    /// How many functions have come to their last line since `reset`.
    pub(crate) fn ends(&self) -> usize {
        self.ends.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.ends.store(0, Ordering::Relaxed);
        self.steps.store(0, Ordering::Relaxed);
    }
}

/// So many steps, one after the other; returns how many nanoseconds they took.
#[belts::function(id = "sequential", on = Work)]
pub(crate) async fn sequential(work: Work) -> belts::Result<u64> {
    let start = now();
    for n in 0..work.steps {
        step!("step-{n}", receipt(n)).await?;
    }
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Steps of this function are timed in blocks of so many.
pub(crate) const BLOCK: u32 = 500;

/// So many steps, then as many more as one asks for by name; marks the beginning, each block of the first part, and
/// each evaluation after it.
#[belts::function(id = "resumed", on = Work, max_steps = 20_000)]
pub(crate) async fn resumed(work: Work) -> belts::Result<()> {
    MARKS.mark();
    for n in 1..=work.steps {
        step!("step-{n}", receipt(n)).await?;
        if n % BLOCK == 0 {
            MARKS.mark();
        }
    }
    for n in 0.. {
        step!("more-{n}", MARKS.mark()).await?;
    }
    Ok(())
}

/// What starts the function that fills a log before the measuring begins.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Warmth {
    /// How many steps.
    pub(crate) steps: u32,
}

/// So many steps.
#[belts::function(id = "warm-up", on = Warmth)]
pub(crate) async fn warm_up(warmth: Warmth) -> belts::Result<()> {
    for n in 0..warmth.steps {
        step!("step-{n}", receipt(n)).await?;
    }
    Ok(())
}

/// Three steps, as many functions have.
#[belts::function(id = "three", on = Work)]
pub(crate) async fn three(_work: Work) -> belts::Result<u32> {
    let first = step!("first", receipt(1)).await?;
    let second = step!("second", receipt(2)).await?;
    let third = step!("third", receipt(3)).await?;
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    Ok(first.id + second.id + third.id)
}

/// Those that hold the places of a key let them go.
pub(crate) fn release() {
    IS_RELEASED.store(true, Ordering::Relaxed);
    RELEASED.notify_waiters();
}

static IS_RELEASED: AtomicBool = AtomicBool::new(false);
static RELEASED: Notify = Notify::const_new();

/// Three steps, and one run of a key at once.
#[belts::function(id = "one-each", on = Work, concurrency(limit = 1, key = |work| work.steps))]
pub(crate) async fn one_each(_work: Work) -> belts::Result<u32> {
    let first = step!("first", receipt(1)).await?;
    let second = step!("second", receipt(2)).await?;
    let third = step!("third", receipt(3)).await?;
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    Ok(first.id + second.id + third.id)
}

/// Three steps, eight runs of a key at once at most; those of the first key hold their places.
#[belts::function(id = "keyed", on = Work, concurrency(limit = 8, key = |work| work.steps))]
pub(crate) async fn keyed(work: Work) -> belts::Result<u32> {
    if work.steps == 0 && !IS_RELEASED.load(Ordering::Relaxed) {
        step!("hold", RELEASED.notified()).await?;
        return Ok(0);
    }
    let first = step!("first", receipt(1)).await?;
    let second = step!("second", receipt(2)).await?;
    let third = step!("third", receipt(3)).await?;
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    Ok(first.id + second.id + third.id)
}

/// Sleeps for less than an hour, and takes a step after it.
#[belts::function(id = "woken", on = Work)]
pub(crate) async fn woken(_work: Work) -> belts::Result<u32> {
    MARKS.steps.fetch_add(1, Ordering::Relaxed);
    sleep!("half-an-hour", Duration::from_secs(1_800)).await?;
    let last = step!("last", receipt(1)).await?;
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    Ok(last.id)
}

/// Says that its first line was reached.
#[belts::function(id = "arrived", on = Work)]
pub(crate) async fn arrived(work: Work) -> belts::Result<()> {
    MARKS.mark();
    let lag = wall_micros().saturating_sub(work.sent_at);
    MARKS
        .lags
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(lag);
    MARKS.told.notify_one();
    Ok(())
}

/// So many steps, counted.
#[belts::function(id = "counted", on = Work)]
pub(crate) async fn counted(work: Work) -> belts::Result<()> {
    for n in 0..work.steps {
        step!("step-{n}", counted_receipt(n)).await?;
    }
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn counted_receipt(n: u32) -> Receipt {
    MARKS.steps.fetch_add(1, Ordering::Relaxed);
    receipt(n)
}

/// Sleeps for a month.
#[belts::function(id = "asleep", on = Work)]
pub(crate) async fn asleep(_work: Work) -> belts::Result<()> {
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    sleep!("a-month", Duration::from_secs(30 * 24 * 3600)).await
}

/// Takes steps, and sleeps for a month before the last.
#[belts::function(id = "half-way", on = Work)]
pub(crate) async fn half_way(work: Work) -> belts::Result<u64> {
    for number in 0..work.steps {
        step!("step-{number}", work.sent_at).await?;
    }
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    sleep!("a-month", Duration::from_secs(30 * 24 * 3600)).await?;
    step!("last", work.sent_at).await
}

/// What runs wait for.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = of)]
pub(crate) struct Paid {
    /// When the work that was paid for was published.
    pub(crate) of: u64,
}

/// Waits for its payment, then says that its next line was reached.
#[belts::function(id = "paid-for", on = Work)]
pub(crate) async fn paid_for(work: Work) -> belts::Result<()> {
    MARKS.ends.fetch_add(1, Ordering::Relaxed);
    wait!("paid", Paid, key = &work.sent_at).await?;
    MARKS.tell();
    Ok(())
}

/// The id of the callback that was made last.
pub(crate) static CALLBACK: Mutex<String> = Mutex::new(String::new());

/// Waits for its callback, then says that its next line was reached.
#[belts::function(id = "called-back", on = Work)]
pub(crate) async fn called_back(_work: Work) -> belts::Result<()> {
    let answer = callback!("answer", u64).await?;
    answer
        .id()
        .clone_into(&mut CALLBACK.lock().unwrap_or_else(PoisonError::into_inner));
    answer.result().await?;
    MARKS.tell();
    Ok(())
}

/// When `calls_at_once` was about to call.
pub(crate) static CALLED_AT: Mutex<Option<Instant>> = Mutex::new(None);

#[belts::function(id = "at-once", on = Work)]
pub(crate) async fn at_once(work: Work) -> belts::Result<u32> {
    Ok(work.steps)
}

/// Calls, and tells of its next line.
#[belts::function(id = "calls-at-once", on = Work)]
pub(crate) async fn calls_at_once(work: Work) -> belts::Result<u32> {
    // Of the drive that calls, and not of the one that hears of it.
    CALLED_AT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(now);
    let steps = call!("at-once", at_once(work)).await?;
    MARKS.tell();
    Ok(steps)
}

/// Started by the clock, but not while anything is measured.
#[belts::function(id = "yearly")]
pub(crate) async fn yearly(tick: belts::Tick) -> belts::Result<u64> {
    let number: u64 = tick.data()?;
    belts::step!("number", number).await
}
