//! The siege: several workers on one store, of which one is always being killed or stopped, until every run has ended.
//! Where the store is on a server, that is killed and its connections are cut as well.

use std::{fs, ops::RangeFrom, path::Path};

use belts::Worker;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Failure,
    agrees::agrees,
    judge::{Verdict, judge},
    log::{Log, What},
    patience::{deadline, pause, persist, rest},
    place::{Place, open},
    plan::{Expected, FUNCTIONS, Item, items},
    random::Random,
    trail::{LOG, Process},
    victim::Victim,
    worker::LEASE,
};

/// Events for each kill: while workers die, work comes in.
const EVENTS_A_KILL: usize = 8;
/// Kills of workers for each of the server, which is killed twice at least.
const KILLS_A_RESTART: usize = 10;
/// Tasks that publish at once.
const LANES: usize = 4;

/// How a siege is laid.
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    /// Where the log is, and what the workers say.
    pub(crate) directory: &'a Path,
    pub(crate) place: &'a Place,
    /// A worker for each.
    pub(crate) names: &'a [Option<&'static str>],
    pub(crate) kills: usize,
    pub(crate) seed: u64,
    pub(crate) log: &'static Process,
}

struct Siege<'a> {
    orders: &'a Orders<'a>,
    random: Random,
    victims: Vec<Victim>,
    /// What the random numbers of the next worker follow from.
    dice: RangeFrom<u64>,
    /// How many events may be published by now.
    released: watch::Sender<usize>,
}

impl Orders<'_> {
    /// Lays the siege, and judges.
    pub(crate) async fn lay(&self) -> Result<Verdict, Failure> {
        let items = items((self.kills * EVENTS_A_KILL).max(300));
        let expected: Vec<_> = items.iter().flat_map(Item::expected).collect();
        let worker = Worker::builder()
            .shared_store(open(&self.place.url).await?)
            .publish_only()
            .build()
            .await?;
        let mut siege = Siege::begin(self)?;
        siege.wait_for_functions(&worker).await?;
        let mut publishers = siege.publish(&items, &worker);
        for kill in 0..self.kills {
            let released = (kill + 1) * items.len() / self.kills;
            siege.released.send_replace(released);
            siege.harass(self.restarts_before(kill)).await?;
            siege.strike().await?;
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

    /// Whether the server is restarted in the round of this kill; these are spread evenly.
    fn restarts_before(&self, kill: usize) -> bool {
        let restarts = (self.kills / KILLS_A_RESTART).max(2);
        (kill + 1) * restarts / self.kills > kill * restarts / self.kills
    }
}

impl<'a> Siege<'a> {
    /// Starts the workers.
    fn begin(orders: &'a Orders<'a>) -> Result<Self, Failure> {
        let mut dice = orders.seed..;
        let start = |(name, dice): (&Option<_>, _)| {
            Victim::start(orders.directory, &orders.place.url, *name, dice, orders.log)
        };
        let victims = orders
            .names
            .iter()
            .zip(&mut dice)
            .map(start)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            orders,
            random: Random::new(orders.seed),
            victims,
            dice,
            released: watch::channel(0).0,
        })
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
            let (mut released, worker, log) =
                (self.released.subscribe(), worker.clone(), self.orders.log);
            publishers.spawn(async move {
                for (n, item) in items {
                    released.wait_for(|released| n < *released).await?;
                    let failed = |_: &_| log.write("test", &format!("unanswered {}", item.key()));
                    let published = persist(|| item.publish(&worker), failed).await?;
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

    /// Half of the time, and when the server is to be restarted, something happens to it; nothing where there is none.
    async fn harass(&mut self, restart: bool) -> Result<(), Failure> {
        let Some(server) = &self.orders.place.server else {
            return Ok(());
        };
        if restart {
            server.restart(&mut self.random).await
        } else {
            if self.random.one_in(2) {
                server.harass(&mut self.random).await;
            }
            Ok(())
        }
    }

    /// One round: one of the workers is killed at some moment, mostly at once, and sometimes after it was stopped for
    /// longer than its lease lasts, or stopped and continued before it is killed.
    ///
    /// The pauses are random moments and no waiting for something: that is the point of this test.
    async fn strike(&mut self) -> Result<(), Failure> {
        let count = self.victims.len();
        let side = self.random.below(count);
        rest(self.random.millis(5..500)).await;
        if self.random.one_in(3) {
            self.victims[side].stop()?;
            if self.random.one_in(4) {
                // Another one goes down meanwhile.
                rest(self.random.millis(5..500)).await;
                let other = (side + 1 + self.random.below(count - 1)) % count;
                self.victims[other].kill()?;
                self.restart(other)?;
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
        self.restart(side)
    }

    fn restart(&mut self, side: usize) -> Result<(), Failure> {
        let dice = self.dice.next().unwrap_or_default();
        self.victims[side].restart(dice)
    }

    fn text(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.orders.directory.join(LOG))?)
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
            if !victim.ended_well(status) {
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
