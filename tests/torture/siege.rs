//! The siege: two workers on one store, of which one is always being killed or stopped, until every run has ended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use belts::{Clock as _, SystemClock, Worker, store::Sqlite};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Failure,
    agrees::agrees,
    judge::{Verdict, judge},
    log::{Log, What},
    patience::{deadline, pause, persist, rest},
    plan::{Expected, FUNCTIONS, Item, items},
    random::Random,
    trail::{LOG, Process},
    victim::Victim,
    worker::{DATABASE, LEASE},
};

/// Events for each kill: while workers die, work comes in.
const EVENTS_A_KILL: usize = 4;
/// Tasks that publish at once.
const LANES: usize = 4;

pub(crate) fn sqlite_two_processes() -> Result<String, Failure> {
    let kills: usize =
        std::env::var("BELTS_TORTURE_KILLS").map_or(Ok(50), |kills| kills.parse())?;
    let now = u64::try_from(SystemClock.now().as_millis())? % 1_000_000;
    let seed: u64 = std::env::var("BELTS_TORTURE_SEED").map_or(Ok(now), |seed| seed.parse())?;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("torture-{seed}-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let start = SystemClock.now();
    let outcome = runtime.block_on(Siege::lay(&directory, kills, seed));
    let told = outcome.map_err(|error| explain(&directory, &error));
    let seconds = SystemClock.now().since(start).as_secs_f64();
    match told {
        Ok(verdict) => {
            fs::remove_dir_all(&directory)?;
            Ok(format!(
                "torture: seed {seed}, {}; {seconds:.1} s",
                verdict.figures
            ))
        }
        Err(text) => Err(format!(
            "seed {seed}, after {seconds:.1} s, log in {}: {text}",
            directory.display()
        )
        .into()),
    }
}

/// What went wrong outside the rules, with the end of the log and of what the workers said.
fn explain(directory: &Path, error: &Failure) -> String {
    let said = fs::read_to_string(directory.join("worker.err")).unwrap_or_default();
    let said: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("on purpose"))
        .collect();
    format!(
        "{error}\n-- the workers said at last:\n{}",
        said[said.len().saturating_sub(10)..].join("\n")
    )
}

struct Siege<'a> {
    directory: &'a Path,
    log: &'static Process,
    random: Random,
    victims: [Victim; 2],
    /// How many events may be published by now.
    released: watch::Sender<usize>,
}

impl<'a> Siege<'a> {
    async fn lay(directory: &'a Path, kills: usize, seed: u64) -> Result<Verdict, Failure> {
        let log = Process::open(directory, seed)?;
        let items = items((kills * EVENTS_A_KILL).max(200));
        let expected: Vec<_> = items.iter().flat_map(Item::expected).collect();
        let store = Sqlite::open(directory.join(DATABASE)).await?;
        let worker = Worker::builder()
            .store(store)
            .publish_only()
            .build()
            .await?;
        // One has a name, and takes its own runs back when it restarts; the other has none.
        let victims = [
            Victim::start(directory, Some("named"), seed, log)?,
            Victim::start(directory, None, seed + 1, log)?,
        ];
        let (released, _) = watch::channel(0);
        let mut siege = Self {
            directory,
            log,
            random: Random::new(seed),
            victims,
            released,
        };
        siege.wait_for_functions(&worker).await?;
        let mut publishers = siege.publish(&items, &worker);
        for kill in 0..kills {
            siege
                .released
                .send_replace((kill + 1) * items.len() / kills);
            siege.strike(u64::try_from(kill)? + 2).await?;
        }
        while let Some(published) = publishers.join_next().await {
            published??;
        }
        siege.wait_for_ends(&expected).await?;
        siege.end().await?;
        let verdict = siege.verdict(&expected)?;
        agrees(&worker, expected.len(), &Log::parse(&siege.text()?)?).await?;
        Ok(verdict)
    }

    /// Nobody is subscribed before the first worker was there once.
    async fn wait_for_functions(&self, worker: &Worker) -> Result<(), Failure> {
        let deadline = deadline();
        while worker.store().subscriptions().await?.len() < FUNCTIONS.len() {
            pause(deadline, "the workers to subscribe their functions").await?;
        }
        Ok(())
    }

    /// Publishes the items in their order, from several tasks; every fifth is published by two of them at once.
    fn publish(&self, items: &[Item], worker: &Worker) -> JoinSet<Result<(), Failure>> {
        let mut publishers = JoinSet::new();
        for lane in 0..LANES {
            let mine = move |n: usize| {
                n % LANES == lane || (n.is_multiple_of(5) && (n + 1) % LANES == lane)
            };
            let items: Vec<_> = items
                .iter()
                .cloned()
                .enumerate()
                .filter(|(n, _)| mine(*n))
                .collect();
            let (mut released, worker, log) = (self.released.subscribe(), worker.clone(), self.log);
            publishers.spawn(async move {
                for (n, item) in items {
                    released.wait_for(|released| n < *released).await?;
                    let published = persist(|| item.publish(&worker)).await?;
                    let how = if published.duplicate {
                        "duplicate"
                    } else {
                        "new"
                    };
                    log.write("test", &format!("published {} {how}", item.key()));
                }
                Ok(())
            });
        }
        publishers
    }

    /// One round: one of the workers is killed at some moment, mostly at once, and sometimes after it was stopped for
    /// longer than its lease lasts, or stopped and continued before it is killed.
    ///
    /// The pauses are random moments and no waiting for something: that is the point of this test.
    async fn strike(&mut self, dice: u64) -> Result<(), Failure> {
        let side = self.random.side();
        rest(self.random.millis(5..500)).await;
        if self.random.one_in(4) {
            self.victims[side].stop()?;
            if self.random.one_in(4) {
                // The other one goes down meanwhile.
                rest(self.random.millis(5..500)).await;
                self.victims[1 - side].kill()?;
                self.victims[1 - side].restart(dice + 10_000)?;
            }
            rest(LEASE + self.random.millis(200..1_200)).await;
            if !self.random.one_in(4) {
                self.victims[side].go_on()?;
                rest(self.random.millis(5..500)).await;
            }
        }
        self.victims[side].kill()?;
        if self.random.one_in(2) {
            rest(self.random.millis(5..150)).await;
        }
        self.victims[side].restart(dice)
    }

    fn text(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.directory.join(LOG))?)
    }

    /// Returns when the log has an end for every run, or with the objections of the judge if there never is.
    async fn wait_for_ends(&self, expected: &[Expected]) -> Result<(), Failure> {
        let deadline = deadline();
        loop {
            let log = Log::parse(&self.text()?)?;
            let ended = |places: &Vec<usize>| {
                places
                    .iter()
                    .any(|place| matches!(log.lines[*place].what, What::End(_)))
            };
            if log.runs.values().filter(|places| ended(places)).count() >= expected.len() {
                return Ok(());
            }
            if let Err(late) = pause(deadline, "every run to end").await {
                self.verdict(expected)?;
                return Err(late);
            }
        }
    }

    /// Asks the workers to end, which they do well and soon.
    async fn end(&mut self) -> Result<(), Failure> {
        for victim in &self.victims {
            victim.ask_to_end()?;
        }
        let deadline = deadline();
        for victim in &mut self.victims {
            let status = loop {
                match victim.ended()? {
                    Some(status) => break status,
                    None => pause(deadline, "a worker to end").await?,
                }
            };
            if !status.success() {
                return Err(format!("a worker that was asked to end ended with {status}").into());
            }
        }
        Ok(())
    }

    /// What the judge says, as an error if it objects.
    fn verdict(&self, expected: &[Expected]) -> Result<Verdict, Failure> {
        let log = Log::parse(&self.text()?)?;
        let verdict = judge(&log, expected);
        let Some(first) = verdict.objections.first() else {
            return Ok(verdict);
        };
        let all: Vec<_> = verdict
            .objections
            .iter()
            .take(10)
            .map(|it| format!("{:?}: {}", it.run, it.text))
            .collect();
        Err(format!(
            "{} objections, the first of which are\n{}\n-- the last lines of the first:\n{}\n-- {}",
            verdict.objections.len(),
            all.join("\n"),
            log.tail(first.run.as_deref(), 60),
            verdict.figures
        )
        .into())
    }
}
