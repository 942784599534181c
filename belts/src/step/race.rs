//! `race!`: the first of several futures to end has won, and the journal says which one that was.

use std::{
    fmt,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use super::{Key, Scope};
use crate::{
    codec::{self, Decoded},
    error::{Error, Result},
    live::{self, Active, Arm, CURRENT_ARM},
    panic,
    run::{Decision, Location, Violation, join},
    store::StepKind,
};

/// A race that is not reached yet.
#[derive(Debug)]
pub struct Racing {
    scope: Scope,
    path: Arc<str>,
    at: &'static Location,
    arms: &'static [&'static str],
}

/// A race between futures, its arms.
#[derive(Debug)]
pub struct Race {
    /// What it is in.
    scope: Scope,
    state: Arc<live::Race>,
    /// As far as they play.
    arms: Box<[OnceLock<Arm>]>,
}

impl Scope {
    /// A race between arms of these names.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "generated code makes the key for this call"
    )]
    pub fn race(&self, key: Key, at: &'static Location, arms: &'static [&'static str]) -> Racing {
        Racing {
            scope: self.clone(),
            path: join(self.prefix.as_deref(), key.as_str()),
            at,
            arms,
        }
    }
}

impl Racing {
    /// Looks the race up in the journal; never returns where that ends the run.
    pub async fn begin(self) -> Race {
        let Self {
            scope,
            path,
            at,
            arms,
        } = self;
        let race = match scope.decide(&path, StepKind::Race, at).await {
            Decision::Replay { value, .. } => match winner(&value, arms) {
                Ok(Ok(arm)) => {
                    let race = live::Race::won_by(path, arms, arm);
                    if !scope.run.is_replayed() {
                        scope.run.close_what_lost(&race);
                    }
                    race
                }
                Ok(Err(winner)) => {
                    scope.run.violate(Violation::WinnerGone {
                        path,
                        winner,
                        arms,
                        at,
                    });
                    return pending().await;
                }
                Err(error) => {
                    let reason = error.report();
                    scope.run.violate(Violation::NoWinner { path, reason, at });
                    return pending().await;
                }
            },
            Decision::Resume {
                seq, started_at, ..
            } => live::Race::open(path, arms, seq, started_at),
            Decision::Begin { seq } => {
                let race = live::Race::open(path, arms, seq, scope.run.host.clock.now());
                let arm = scope.arm.as_ref();
                // It is written together with what its arms leave, or takes the winner's name before that.
                if scope
                    .run
                    .record_in(arm, race.opening(), false, false)
                    .is_none()
                {
                    return pending().await;
                }
                race
            }
        };
        Race {
            scope,
            state: Arc::new(race),
            arms: arms.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

/// The place of the recorded winner, or its name if there is no such arm any more.
fn winner(value: &[u8], arms: &[&str]) -> Result<std::result::Result<usize, String>> {
    let name = match codec::decode::<String>(value)? {
        Decoded::Ok(name) => name,
        Decoded::Err(failure) => return Err(failure.into_error()),
    };
    let place = arms.iter().position(|arm| *arm == name);
    Ok(place.ok_or(name))
}

impl Race {
    /// Whether this arm has won or still may. Others are not even begun.
    pub fn plays(&self, arm: usize) -> bool {
        // What the losers have recorded is undone as well.
        self.scope.run.is_undoing() || self.state.is_open_to(arm)
    }

    /// Where the steps of an arm are looked up. An arm that `is_one_step` ends with the last entry of that.
    pub fn arm(&self, arm: usize, is_one_step: bool) -> Scope {
        Scope {
            run: Arc::clone(&self.scope.run),
            prefix: Some(self.state.path_of(arm)),
            arm: Some(
                self.arms[arm]
                    .get_or_init(|| self.in_race(arm, is_one_step))
                    .clone(),
            ),
        }
    }

    fn in_race(&self, arm: usize, is_one_step: bool) -> Arm {
        Arm::new(&self.state, arm, is_one_step, self.scope.arm.as_ref())
    }

    /// Polls the arms until one has won and that is durable; which one. The others have been dropped then.
    pub async fn winner(&self, arms: &mut [&mut (dyn Contend + '_)]) -> usize {
        if self.scope.run.is_undoing() {
            return self.replayed(arms).await;
        }
        let (won, active) = poll_fn(|cx| self.poll(cx, arms)).await;
        let Some(won) = won else {
            return pending().await;
        };
        self.scope.run.is_decided(&self.state).await;
        drop(active);
        won
    }

    /// One turn of each arm, in the order in which they are written, until one has ended. Only that is left then; not even that, if
    /// the race itself is in an arm that has lost.
    fn poll(
        &self,
        cx: &mut Context<'_>,
        arms: &mut [&mut (dyn Contend + '_)],
    ) -> Poll<(Option<usize>, Active)> {
        let ended = (0..arms.len())
            .find(|arm| self.plays(*arm) && self.ends(*arm, self.poll_arm(*arm, arms, cx)))
            .map(|arm| {
                // The record of a winner is awaited.
                let active = self.scope.run.activate();
                let won = self.scope.run.claim(&self.in_race(arm, false));
                (won.then_some(arm), active)
            });
        // An arm whose last step is recorded in the next write has won, and is still to be polled.
        let lost = (0..arms.len()).filter(|arm| !self.plays(*arm));
        lost.for_each(|arm| arms[arm].leave());
        ended.map_or(Poll::Pending, Poll::Ready)
    }

    /// Polls all arms of a race in a run that is undone, until what they have recorded has come back; the recorded winner then.
    async fn replayed(&self, arms: &mut [&mut (dyn Contend + '_)]) -> usize {
        let mut ended = vec![false; arms.len()];
        let mut over = pin!(self.scope.run.race_replayed(self.state.path()));
        poll_fn(|cx| {
            for (arm, ended) in ended.iter_mut().enumerate() {
                *ended = *ended || self.ends(arm, self.poll_arm(arm, arms, cx));
            }
            let winner = (0..ended.len()).find(|arm| self.state.is_open_to(*arm) && ended[*arm]);
            match winner {
                Some(winner) => over.as_mut().poll(cx).map(|()| winner),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Whether an arm has ended with an outcome. That the store failed is none: it ends the attempt, which goes on later.
    fn ends(&self, arm: usize, polled: Poll<Option<Error>>) -> bool {
        match polled {
            Poll::Pending => false,
            Poll::Ready(None) => true,
            Poll::Ready(Some(error)) => {
                let (service, path) = (error.kind().as_str(), self.state.path_of(arm));
                let text = format!("the {service} failed in the arm `{path}`: {error}");
                self.scope.run.abandon(Error::new(error.kind(), text));
                false
            }
        }
    }

    /// One turn of an arm, which a callback's result in it asks for.
    fn poll_arm(
        &self,
        arm: usize,
        arms: &mut [&mut (dyn Contend + '_)],
        cx: &mut Context<'_>,
    ) -> Poll<Option<Error>> {
        let current = self.arms[arm].get_or_init(|| self.in_race(arm, false));
        CURRENT_ARM.sync_scope(current.clone(), || arms[arm].poll(cx))
    }

    /// What the winner has come to.
    ///
    /// # Panics
    /// The arm has not ended.
    pub fn outcome<T>(output: Option<T>) -> T {
        output.expect("the arm that has won has ended")
    }

    /// What the race comes to: the value of the winner's handler.
    ///
    /// # Errors
    /// The error that `?` left the handler with.
    pub fn finish<T>(handled: super::Attempted<T>) -> Result<T> {
        handled.map_err(|caught| caught.0)
    }
}

/// The future of an arm, and the place for what it comes to.
pub struct Contender<'a, F: Future> {
    future: Pin<&'a mut Option<F>>,
    output: &'a mut Option<F::Output>,
    failure: fn(&F::Output) -> Option<Error>,
}

impl<F: Future> fmt::Debug for Contender<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").finish_non_exhaustive()
    }
}

impl<'a, F: Future> Contender<'a, F> {
    /// An arm; without a future it is none of those that may win. `failure` says whether a store failed in it.
    pub fn new(
        future: Pin<&'a mut Option<F>>,
        output: &'a mut Option<F::Output>,
        failure: fn(&F::Output) -> Option<Error>,
    ) -> Self {
        Self {
            future,
            output,
            failure,
        }
    }
}

/// An arm of any type, so that what polls them is compiled once.
pub trait Contend: Send {
    /// Polls it until it has ended, with the failure of the store or the dispatcher if that is what it ended with.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>>;

    /// Drops its future.
    fn leave(&mut self);
}

impl<F: Future<Output: Send> + Send> Contend for Contender<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let Some(future) = self.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let output = ready!(future.poll(cx));
        let failure = (self.failure)(&output);
        *self.output = Some(output);
        self.leave();
        Poll::Ready(failure)
    }

    fn leave(&mut self) {
        // It is the user's: a panic there is no outcome of the race, nor of the function.
        panic::clear(self.future.as_mut());
    }
}
