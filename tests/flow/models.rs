//! Each policy against a small plain model, with random arrivals, crashes, lost routes and clocks that jump.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use belts::{
    Timestamp,
    store::{
        Batch, Capacity, Claim, Commit, CommitBatch, Debounce, Flow, FunctionCapacity, Lease,
        Memory, NewEvent, Once, Publish, Rate, Register, Release, Route, Routed, Routing,
        Singleton, Store, Subscription, Then, Transition, WorkerId,
    },
};
use proptest::prelude::*;

/// What happens, one after the other.
#[derive(Debug, Clone)]
enum Happens {
    /// An event of a key is published, by a program that has the code of the function or not.
    Publish { key: u8, known: bool },
    /// Time passes, or the clock is set.
    Passes(i64),
    /// What is due is claimed; the worker dies before it has routed anything, or goes on and completes it, if it is not slow.
    Claim { dies: bool },
    /// A slow worker completes the run that it has had longest.
    Ends,
}

fn happens(jumps: bool) -> impl Strategy<Value = Happens> {
    let passes = if jumps {
        prop_oneof![0_i64..4_000, Just(86_400_000), Just(-86_400_000)].boxed()
    } else {
        (0_i64..4_000).boxed()
    };
    prop_oneof![
        4 => (0_u8..3, any::<bool>()).prop_map(|(key, known)| Happens::Publish { key, known }),
        3 => passes.prop_map(Happens::Passes),
        2 => any::<bool>().prop_map(|dies| Happens::Claim { dies }),
        2 => Just(Happens::Ends),
    ]
}

/// A run that began: when, with which events.
#[derive(Debug, Clone)]
struct Began {
    at: i64,
    events: Vec<usize>,
}

struct World {
    store: Memory,
    worker: WorkerId,
    now: i64,
    flow: fn(u8) -> Flow,
    /// The key of each event, and when it was published.
    published: Vec<(u8, i64)>,
    /// Whether its publisher was told that it is skipped.
    skipped: Vec<Option<bool>>,
    began: Vec<Began>,
    /// Whether runs are driven until something ends them.
    slow: bool,
    /// Those that are driven.
    driven: Vec<(Lease, Began)>,
}

const START: i64 = 1_700_000_000_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn number(id: &str) -> usize {
    id.strip_prefix("e-").unwrap().parse().unwrap()
}

impl World {
    async fn new(flow: fn(u8) -> Flow) -> Self {
        let store = Memory::new();
        let wants = vec![Subscription::new("f", ["f"])];
        let register = Register::new(at(0), Duration::from_secs(1 << 30)).with_subscriptions(wants);
        let worker = store.register(register).await.unwrap();
        Self {
            store,
            worker,
            now: 0,
            flow,
            published: Vec::new(),
            skipped: Vec::new(),
            began: Vec::new(),
            slow: false,
            driven: Vec::new(),
        }
    }

    async fn complete(&mut self, lease: Lease, began: Began) {
        let end = Transition::complete(Arc::<[u8]>::from(*b"{\"v\":1,\"ok\":1}"));
        let commit = Commit::new(lease).with_transition(end);
        let batch = CommitBatch::new(vec![commit], at(self.now));
        self.store.commit(batch).await.unwrap();
        self.began.push(began);
    }

    async fn end_one(&mut self) {
        if !self.driven.is_empty() {
            let (lease, began) = self.driven.remove(0);
            self.complete(lease, began).await;
        }
    }

    async fn happen(&mut self, what: &Happens) {
        match what {
            Happens::Passes(millis) => self.now += millis,
            Happens::Publish { key, known } => {
                let n = self.published.len();
                let payload = format!("{{\"key\":{key}}}");
                let mut event =
                    NewEvent::new(format!("e-{n}"), "f", payload.as_bytes(), at(self.now));
                if *known {
                    event = event.with_flows(vec![("f".into(), (self.flow)(*key))]);
                }
                let request = Publish::new(vec![event], at(self.now));
                let answer = self.store.publish(request).await.unwrap().remove(0);
                self.published.push((*key, self.now));
                let skipped = answer.runs[0].skipped().is_some();
                self.skipped.push(known.then_some(skipped));
            }
            Happens::Claim { dies } => self.claim(*dies).await,
            Happens::Ends => self.end_one().await,
        }
    }

    async fn claim(&mut self, dies: bool) {
        let capacity = Capacity::new(self.worker, 100, [FunctionCapacity::new("f", 100)]);
        let claimed = self
            .store
            .claim(Claim::new(capacity, at(self.now)))
            .await
            .unwrap();
        if dies {
            let release = Release::new(self.worker, at(self.now));
            self.store.release(release).await.unwrap();
            self.driven.clear();
            return;
        }
        for run in claimed.runs {
            let key = self.published[number(&run.event_id)].0;
            if run.routing != Routing::Done {
                let route = Route::new(run.lease, "f", (self.flow)(key), at(self.now));
                match self.store.route(route).await.unwrap() {
                    Routed::Starts => {}
                    Routed::Skipped(_) => {
                        self.skipped[number(&run.event_id)] = Some(true);
                        continue;
                    }
                    _ => continue,
                }
            }
            let events = self.store.batch(&run.run_id).await.unwrap();
            let events: Vec<usize> = events.iter().map(|event| number(&event.id)).collect();
            let began = Began {
                at: self.now,
                events,
            };
            if self.slow {
                let beside = self.driven.iter().map(|(_, other)| other.events[0]);
                let mut beside = beside.map(|event| self.published[event].0);
                assert!(!beside.any(|other| other == key), "two of a key at once");
                self.driven.push((run.lease, began));
            } else {
                self.complete(run.lease, began).await;
            }
        }
    }

    /// Lets all the rest happen, whatever the clock was set to before.
    async fn ends(&mut self, jumped: bool) {
        if jumped {
            self.now += 100 * 86_400_000;
        }
        for _ in 0..400 {
            self.now += 2_000;
            self.claim(false).await;
            self.end_one().await;
        }
    }
}

fn run(flow: fn(u8) -> Flow, all: &[Happens], check: impl Fn(&World)) {
    run_by(false, flow, all, check);
}

fn run_by(slow: bool, flow: fn(u8) -> Flow, all: &[Happens], check: impl Fn(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(flow).await;
        world.slow = slow;
        for what in all {
            world.happen(what).await;
        }
        let far = |what: &Happens| matches!(what, Happens::Passes(millis) if millis.abs() > 10_000);
        world.ends(all.iter().any(far)).await;
        check(&world);
    });
}

fn keyed(key: u8) -> String {
    key.to_string()
}

fn batched(key: u8) -> Flow {
    Flow::new().with_batch(Batch::new(keyed(key), 3, Duration::from_secs(5)))
}

fn debounced(key: u8) -> Flow {
    let debounce = Debounce::new(keyed(key), Duration::from_secs(2));
    Flow::new().with_debounce(debounce.with_max(Duration::from_secs(6)))
}

fn once(key: u8) -> Flow {
    Flow::new().with_idempotent(Once::new(keyed(key), Duration::from_secs(10)))
}

fn rated(key: u8) -> Flow {
    Flow::new().with_rate_limit(Rate::new(keyed(key), 2, Duration::from_secs(6)).with_burst(2))
}

fn throttled(key: u8) -> Flow {
    Flow::new().with_throttle(Rate::new(keyed(key), 1, Duration::from_secs(3)))
}

fn single(key: u8) -> Flow {
    Flow::new().with_singleton(Singleton::new(keyed(key), Then::Queue))
}

fn sorted(world: &World) -> Vec<usize> {
    let mut events: Vec<usize> = world
        .began
        .iter()
        .flat_map(|run| run.events.clone())
        .collect();
    events.sort_unstable();
    events
}

fn last_of_each_key(world: &World) -> BTreeMap<u8, usize> {
    let events = world.published.iter().enumerate();
    events.map(|(event, (key, _))| (*key, event)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn batches_lose_and_double_nothing(all in prop::collection::vec(happens(true), 1..60)) {
        run(batched, &all, |world| {
            assert_eq!(sorted(world), (0..world.published.len()).collect::<Vec<_>>());
            for began in &world.began {
                assert!(began.events.len() <= 3, "{began:?}");
                assert!(began.events.is_sorted(), "in the order of publishing: {began:?}");
                let keys = began.events.iter().map(|event| world.published[*event].0);
                assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 1);
            }
        });
    }

    #[test]
    fn debounced_events_end_with_the_last_of_each_key(all in prop::collection::vec(happens(false), 1..60)) {
        run(debounced, &all, |world| {
            let mut ran = BTreeMap::new();
            for began in &world.began {
                assert_eq!(began.events.len(), 1);
                let event = began.events[0];
                let before = ran.insert(world.published[event].0, event);
                assert!(before.is_none_or(|before| before < event), "none runs again, and none backwards");
            }
            assert_eq!(ran, last_of_each_key(world));
        });
    }

    /// What was given back while the clock was a day ahead runs a day later; the last event runs all the same.
    #[test]
    fn the_last_event_of_each_key_runs_whatever_the_clock(all in prop::collection::vec(happens(true), 1..60)) {
        run(debounced, &all, |world| {
            let ran = sorted(world);
            for (key, event) in last_of_each_key(world) {
                assert!(ran.contains(&event), "{event} of {key}");
            }
        });
    }

    /// The model: who comes first has the key for its time.
    #[test]
    fn idempotent_keys_are_taken_by_the_first(all in prop::collection::vec(happens(false), 1..60)) {
        let known: Vec<Happens> = all.into_iter().map(|what| match what {
            Happens::Publish { key, .. } => Happens::Publish { key, known: true },
            other => other,
        }).collect();
        run(once, &known, |world| {
            let mut until = BTreeMap::new();
            for (event, (key, now)) in world.published.iter().enumerate() {
                let is_taken = until.get(key).is_some_and(|until| *until > *now);
                assert_eq!(world.skipped[event], Some(is_taken), "event {event}");
                if !is_taken {
                    until.insert(*key, now + 10_000);
                }
            }
            let kept = (0..world.published.len()).filter(|event| world.skipped[*event] == Some(false));
            assert_eq!(sorted(world), kept.collect::<Vec<_>>());
        });
    }

    /// The model: a bucket of two that gets one back every three seconds.
    #[test]
    fn rates_skip_as_a_leaky_bucket_does(all in prop::collection::vec(happens(false), 1..60)) {
        let known: Vec<Happens> = all.into_iter().map(|what| match what {
            Happens::Publish { key, .. } => Happens::Publish { key, known: true },
            other => other,
        }).collect();
        run(rated, &known, |world| {
            let mut buckets = BTreeMap::new();
            for (event, (key, now)) in world.published.iter().enumerate() {
                // How full it is, in milliseconds of leaking.
                let (full, since) = buckets.entry(*key).or_insert((0_i64, *now));
                *full = (*full - (now - *since)).max(0);
                *since = *now;
                let fits = *full <= 3_000;
                if fits {
                    *full += 3_000;
                }
                assert_eq!(world.skipped[event], Some(!fits), "event {event}");
            }
        });
    }

    #[test]
    fn throttled_runs_all_begin(all in prop::collection::vec(happens(false), 1..40)) {
        run(throttled, &all, |world| {
            assert_eq!(sorted(world), (0..world.published.len()).collect::<Vec<_>>(), "all of them");
        });
    }

    /// With a worker that always looks, each begins a turn after the one before it.
    #[test]
    fn throttled_runs_are_spread(gaps in prop::collection::vec(0_i64..4_000, 1..30)) {
        let mut all = Vec::new();
        for gap in gaps {
            all.push(Happens::Publish { key: 0, known: true });
            for _ in 0..gap / 500 {
                all.extend([Happens::Passes(500), Happens::Claim { dies: false }]);
            }
        }
        run(throttled, &all, |world| {
            let begun: Vec<i64> = world.began.iter().map(|began| began.at).collect();
            // The worker looks every half second, and every two in the end: by so much the first may be late.
            for (turn, at) in begun.iter().enumerate() {
                let least = 3_000 * i64::try_from(turn).unwrap() - 2_000;
                assert!(at - begun[0] >= least, "turn {turn} of {begun:?}");
            }
        });
    }

    #[test]
    fn queued_runs_follow_each_other(all in prop::collection::vec(happens(false), 1..40)) {
        run_by(true, single, &all, |world| {
            assert_eq!(sorted(world), (0..world.published.len()).collect::<Vec<_>>(), "all of them");
            let mut last = BTreeMap::new();
            for began in &world.began {
                let event = began.events[0];
                let before = last.insert(world.published[event].0, event);
                let is_known = world.skipped[event].is_some();
                assert!(!is_known || before.is_none_or(|before| before < event || world.skipped[before].is_none()), "in their order");
            }
        });
    }
}
