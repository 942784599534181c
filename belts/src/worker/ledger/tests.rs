//! Every order in which requests, drives and whoever settles doubts can meet, tried one after the other.

use super::*;
use crate::store::WorkerId;

fn lease(run: i64) -> Lease {
    Lease::new(run, WorkerId(1), run)
}

fn name(run: i64) -> Arc<str> {
    run.to_string().into()
}

/// One step of somebody, between which others have theirs.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Begins a request that may bring leases; waits while doubts are being settled.
    Ask,
    /// Begins one that can do without. If it has to, it brings nothing.
    AskLightly,
    /// The store leases a run, if it was asked to.
    Lease(i64),
    /// The answer arrives: the run is driven.
    Drive(i64),
    /// The request is over; `true` if nobody heard the answer.
    Heard(bool),
    /// The drive is cut off, and the store does not hear of it.
    CutOff(i64),
    /// The drive was given up; its lease is about to be given back on its own.
    Rest(i64),
    /// It was, or that was cut off as well.
    Rested(i64, bool),
    BeginToSettle,
    /// The store releases what is not kept; `false` if it fails.
    Release(bool),
    Settle,
}

#[derive(Clone)]
struct World {
    ledger: Ledger<()>,
    /// What the store leases to this worker.
    leased: Vec<Lease>,
    /// Of each that takes steps: whether it asks for leases, what it keeps, and whether the store did as it was told.
    asks: Vec<bool>,
    keeps: Vec<Option<(Vec<Lease>, u64)>>,
    released: Vec<bool>,
}

impl World {
    fn new(people: usize) -> Self {
        Self {
            ledger: Ledger::default(),
            leased: Vec::new(),
            asks: vec![false; people],
            keeps: vec![None; people],
            released: vec![false; people],
        }
    }

    fn drive(&mut self, run: i64) {
        self.ledger.drive(&name(run), lease(run), ());
    }

    /// Takes a step; `false` if it has to wait.
    fn take(&mut self, who: usize, step: Step) -> bool {
        match step {
            Step::Ask => {
                self.asks[who] = self.ledger.ask();
                return self.asks[who];
            }
            Step::AskLightly => self.asks[who] = self.ledger.ask_lightly(),
            Step::Lease(run) if self.asks[who] => self.leased.push(lease(run)),
            Step::Drive(run) if self.asks[who] => self.drive(run),
            Step::Heard(unsure) if self.asks[who] => self.ledger.heard(unsure),
            Step::Lease(_) | Step::Drive(_) | Step::Heard(_) => {}
            Step::CutOff(run) => self.ledger.leave(&name(run), lease(run), true),
            Step::Rest(run) => {
                self.ledger.rest(lease(run));
                self.ledger.leave(&name(run), lease(run), false);
            }
            Step::Rested(run, given_back) => {
                if given_back {
                    self.leased.retain(|held| *held != lease(run));
                }
                self.ledger.rested(lease(run), !given_back);
            }
            Step::BeginToSettle => self.keeps[who] = self.ledger.begin_to_settle(),
            Step::Release(works) => {
                if let (true, Some((keep, _))) = (works, &self.keeps[who]) {
                    let lost = self.leased.iter().filter(|lease| !keep.contains(lease));
                    for lease in lost {
                        let driven = self.ledger.drives(&lease.run.to_string());
                        assert!(!driven, "a run was taken from its drive");
                    }
                    self.leased.retain(|lease| keep.contains(lease));
                    self.released[who] = true;
                }
            }
            Step::Settle => {
                if let Some((_, doubts)) = self.keeps[who].take() {
                    let settled = std::mem::take(&mut self.released[who]);
                    self.ledger.settle(settled.then_some(doubts));
                }
            }
        }
        true
    }

    /// Nobody takes a step any more: once doubts are settled, the store leases what is driven, and nothing else.
    fn check(mut self) {
        while let Some((keep, doubts)) = self.ledger.begin_to_settle() {
            self.leased.retain(|lease| keep.contains(lease));
            self.ledger.settle(Some(doubts));
        }
        assert!(!self.ledger.in_doubt(), "a doubt that nobody can settle");
        for lease in &self.leased {
            let driven = self.ledger.drives(&lease.run.to_string());
            assert!(driven, "a run is leased that nobody drives: {lease:?}");
        }
    }
}

/// Tries every order; how many there are.
fn every_order(world: &World, people: &[&[Step]]) -> usize {
    let mut orders = 0;
    let mut over = true;
    for (who, steps) in people.iter().enumerate() {
        let Some((next, rest)) = steps.split_first() else {
            continue;
        };
        over = false;
        let mut after = world.clone();
        if after.take(who, *next) {
            let mut left = people.to_vec();
            left[who] = rest;
            orders += every_order(&after, &left);
        }
    }
    if over {
        world.clone().check();
        orders = 1;
    }
    orders
}

const SETTLES: &[Step] = &[Step::BeginToSettle, Step::Release(true), Step::Settle];

/// What to keep was computed, a drive ended, and then a flag was cleared that spoke for its doubt as well: the run stayed
/// leased to a living worker that did not drive it.
#[test]
fn a_doubt_that_is_raised_while_others_are_settled_is_not_lost() {
    let mut world = World::new(3);
    world.leased = vec![lease(1), lease(2)];
    world.drive(1);
    world.drive(2);
    let orders = every_order(&world, &[&[Step::CutOff(1)], &[Step::CutOff(2)], SETTLES]);
    assert_eq!(orders, 20);
}

#[test]
fn no_order_of_requests_loses_a_lease_or_takes_one_from_its_drive() {
    let mut world = World::new(4);
    world.leased = vec![lease(0)];
    world.drive(0);
    let unheard = [Step::AskLightly, Step::Lease(1), Step::Heard(true)];
    let heard = [
        Step::Ask,
        Step::Lease(2),
        Step::Drive(2),
        Step::Heard(false),
    ];
    let orders = every_order(&world, &[&unheard, &heard, &[Step::CutOff(0)], SETTLES]);
    assert!(orders > 1_000, "{orders}");
}

#[test]
fn a_release_that_fails_is_made_again() {
    let mut world = World::new(3);
    world.leased = vec![lease(0)];
    world.drive(0);
    let fails = [Step::BeginToSettle, Step::Release(false), Step::Settle];
    let publishes = [
        Step::AskLightly,
        Step::Lease(1),
        Step::Drive(1),
        Step::Heard(false),
        Step::CutOff(1),
    ];
    // A publish that brings no lease has no drive to be cut off, which changes nothing.
    assert!(every_order(&world, &[&[Step::CutOff(0)], &publishes, &fails]) > 100);
}

#[test]
fn a_run_that_rests_is_given_back_once_and_on_its_own() {
    for given_back in [true, false] {
        let mut world = World::new(3);
        world.leased = vec![lease(0), lease(1)];
        world.drive(0);
        world.drive(1);
        let rests = [Step::Rest(0), Step::Rested(0, given_back)];
        let orders = every_order(&world, &[&rests, &[Step::CutOff(1)], SETTLES]);
        assert!(orders > 10, "{orders}");
    }
}

/// A publish hung, whoever settled doubts waited for it, every other request waited for them, and so did the renewal.
#[test]
fn nobody_waits_for_a_request_that_hangs() {
    let mut ledger: Ledger<()> = Ledger::default();
    assert!(ledger.ask());
    ledger.drive(&name(1), lease(1), ());
    ledger.leave("1", lease(1), true);
    assert_eq!(ledger.begin_to_settle(), None);
    assert!(ledger.ask(), "a claim goes on");
    assert!(!ledger.ask_lightly(), "a publish does without");
    ledger.heard(false);
    ledger.heard(false);
    assert!(ledger.begin_to_settle().is_some());
}
