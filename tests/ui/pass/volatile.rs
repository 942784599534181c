// What must not be taken for something that differs from run to run outside of a step.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::{
    env, thread,
    time::{Duration, Instant, SystemTime},
};

use belts::{Event, State, race, scope, sleep_until, step, volatile, wait};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: Option<String>,
    placed_at: SystemTime,
}

/// Times, names and generators of the user's own.
mod my {
    pub struct Instant;

    impl Instant {
        pub fn now() -> u32 {
            1
        }
    }

    pub mod env {
        pub fn var(name: &str) -> usize {
            name.len()
        }
    }

    pub mod time {
        pub async fn sleep(_: u32) {}
    }
}

struct Clock;

impl Clock {
    fn now(&self) -> u32 {
        1
    }

    async fn sleep(&self, _: u32) {}
}

async fn sleep(_: u32) {}

async fn timeout(_: u32, future: impl Future<Output = u32>) -> u32 {
    future.await
}

fn random() -> u32 {
    4
}

/// What a function calls is seen at run time, if at all.
fn in_a_fn_of_its_own() -> SystemTime {
    SystemTime::now()
}

const DAY: Duration = Duration::from_secs(86_400);

#[belts::function(id = "in-steps", on = Ordered)]
async fn in_steps(order: Ordered) -> belts::Result<u64> {
    let now = step!("now", SystemTime::now()).await?;
    let home = step!("home", env::var("HOME")).await.unwrap_or_default();
    let number = step!("number", fastrand::u64(..)).await?;
    step!("pause", async {
        tokio::time::sleep(Duration::ZERO).await;
        thread::sleep(Duration::ZERO);
    })
    .await?;
    let (a, b) = tokio::try_join!(step!("a", Instant::now().elapsed()), step!("b", fastrand::bool()))?;
    belts::sleep!("rest", Duration::from_secs(fastrand::u64(..9))).await?;
    sleep_until!("opening", SystemTime::now() + DAY).await?;
    sleep_until!("next", now + DAY).await?;
    let left = |time: SystemTime| time.duration_since(order.placed_at).unwrap_or_default();
    wait!("again", Ordered, timeout = left(SystemTime::now())).await?;
    let winner = race!("first", {
        time = step!("time", SystemTime::now()) => time? > now,
        late = belts::sleep!("late", DAY) => late.is_ok()
    })
    .await?;
    println!("{home} {a:?} {b} {winner}");
    Ok(number)
}

#[belts::function(id = "meant", on = Ordered)]
async fn meant(order: Ordered) -> belts::Result<usize> {
    let began = volatile!(Instant::now());
    println!("{:?}", belts::volatile!(SystemTime::now()));
    println!("{}", format_args!("{:?}", volatile!(SystemTime::now(),)));
    tracing::info!(at = ?volatile!(SystemTime::now()), took = ?began.elapsed(), "{:?}", volatile!(env::var("HOME")));
    volatile!(tokio::time::sleep(Duration::ZERO)).await;
    volatile!(tokio::time::sleep(Duration::ZERO).await);
    let limit = volatile!(tokio::time::timeout(DAY, async { 1 }).await);
    let length = volatile!(step!("length", order.id.iter().len()).await?) + volatile!(1) * 2;
    let id = order.id.unwrap_or_else(|| volatile!(fastrand::u8(..)).to_string());
    let borrowed: &String = volatile!(&id);
    scope!("helper", helper(limit.is_ok())).await?;
    Ok(length + borrowed.len())
}

#[belts::steps]
async fn helper(flag: bool) -> belts::Result<bool> {
    let time = volatile!(SystemTime::now());
    println!("{time:?}");
    step!("now", SystemTime::now()).await?;
    Ok(flag)
}

#[belts::function(id = "names", on = Ordered)]
async fn names(_: Ordered, State(clock): State<&'static Clock>) -> belts::Result<u32> {
    sleep(1).await;
    clock.sleep(clock.now()).await;
    my::time::sleep(random()).await;
    let mut sum = timeout(1, async { 2 }).await + my::Instant::now();
    sum += u32::try_from(my::env::var("HOME")).unwrap_or(0);
    {
        use my::{Instant, env, time};
        time::sleep(Instant::now()).await;
        sum += u32::from(env::var("HOME") > 3);
    }
    {
        use my::Instant as SystemTime;
        sum += SystemTime::now();
    }
    {
        struct Instant;
        impl Instant {
            fn now() -> u32 {
                1
            }
        }
        fn thread_rng() -> u32 {
            4
        }
        sum += Instant::now() + thread_rng();
    }
    let thread_rng = random;
    Ok(sum + thread_rng())
}

#[belts::function(id = "later", on = Ordered)]
async fn later(order: Ordered) -> belts::Result<bool> {
    // Code that runs in a step, wherever it is written.
    let now = || SystemTime::now();
    let pause = || async { tokio::time::sleep(Duration::ZERO).await };
    step!("pause", pause()).await?;
    let clock: fn() -> SystemTime = SystemTime::now;
    fn nested() -> SystemTime {
        SystemTime::now()
    }
    // Nobody waits for a task.
    step!("task", drop(tokio::spawn(async { tokio::time::sleep(Duration::ZERO).await }))).await?;
    drop(tokio::spawn(async { tokio::time::sleep(Duration::ZERO).await }));
    let times = [step!("a", now()).await?, step!("b", clock()).await?, step!("c", nested()).await?];
    let latest = step!("latest", in_a_fn_of_its_own()).await?;
    // An iterator calls its closures where it is used.
    let pauses = (1..4).map(|n| Duration::from_millis(n * fastrand::u64(..50))).take(3);
    step!("pauses", pauses.clone().sum::<Duration>()).await?;
    Ok(times.iter().all(|time| *time <= latest && *time >= order.placed_at))
}

/// Takes what it is given somewhere else.
struct Queue;

type Job = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Queue {
    async fn send(&self, job: Job) {
        drop(job);
    }

    async fn insert(&self, task: tokio::task::JoinHandle<()>) {
        task.abort();
    }
}

trait Timestamp {
    fn now() -> u32;
}

struct StoredClock;

impl Timestamp for StoredClock {
    fn now() -> u32 {
        1
    }
}

enum Size {
    Small,
}

#[belts::function(id = "elsewhere", on = Ordered)]
async fn elsewhere(order: Ordered, State(queue): State<&'static Queue>) -> belts::Result<u32> {
    use Size::*;
    queue.send(Box::pin(async { tokio::time::sleep(Duration::ZERO).await }) as Job).await;
    queue.insert(tokio::spawn(async { tokio::time::sleep(Duration::ZERO).await })).await;
    #[cfg(test)]
    println!("{:?}", SystemTime::now());
    thread_local! { static HOME: Option<String> = env::var("HOME").ok() }
    let at = order.id.map(|_| 1).unwrap_or_else(<StoredClock as Timestamp>::now);
    let placed_at = step!("now", SystemTime::now()).await?;
    let age = step!("age", placed_at.elapsed()).await?;
    // The error of a block that names none is still filled in.
    let took = step!("took", async {
        let began = volatile!(Instant::now());
        sleep(1).await;
        println!("{:?}", began.elapsed());
        Ok(began.elapsed())
    })
    .await?;
    let placed_at = volatile!(Instant::now());
    println!("{age:?} {took:?} {:?}", placed_at.elapsed());
    if let Some(now) = Some(at) {
        println!("{now}");
    }
    Ok(match Small {
        Small => at + HOME.with(|home| u32::from(home.is_some())),
    })
}

fn main() {}
