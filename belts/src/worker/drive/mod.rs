//! Drives one run: polls its function, writes what its steps leave behind, and ends with a transition.

mod ending;
mod stay;
mod waker;
mod write;

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

pub(crate) use ending::Ended;
use stay::{Stay, Verdict, Watch};
use waker::FunctionWaker;
use write::{Underway, Written};

use super::{
    RunFailure, Shared,
    live::{CURRENT_RUN, Found, LiveRun, Outbox},
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    function::Continuation,
    guard::{self, Held, catch_panic},
    middleware::{self, Around, RunInfo},
    private::Invocation,
    registry::Registered,
    run::RetryPolicy,
    step::Scope,
    store::{ClaimedRun, Lease, StepKind, StepState, Transition},
};

/// The most turns between function and store in one poll, so that a run of fast steps lets others have a turn.
const TURNS: usize = 64;

/// Drives a claimed run until its lease ends; and why it failed, if it failed for good.
pub(crate) async fn drive(
    worker: &Arc<Shared>,
    function: &Registered,
    mut claimed: ClaimedRun,
) -> (Ended, Option<RunFailure>) {
    guard::note_places();
    let crashed = worker.crashed(&claimed);
    // A run that is not to be driven has none of its code called.
    let wanted = match &crashed {
        None => wanted(function, &claimed),
        Some(_) => Ok(true),
    };
    let metrics = &function.metrics;
    let run = Arc::new(LiveRun::new(&mut claimed, function, Arc::clone(worker)));
    worker.attach(claimed.lease, &run);
    let drive = Drive::new(worker, &run, function, &claimed);
    if let Some(error) = crashed {
        let ended = drive.fail(&error).await;
        if ended == Ended::Failed {
            metrics.runs_failed.increment(1);
        }
        let failure = drive.failure.into_inner();
        return (ended, failure.map(|error| RunFailure::new(&run, error)));
    }
    let wanted = match wanted {
        Ok(true) => Ok(()),
        Ok(false) => {
            let ended = drive.end(Outbox::default(), Transition::Skip).await;
            return (ended, None);
        }
        Err(error) => Err(error),
    };
    let begun = if run.resumed {
        &metrics.runs_resumed
    } else {
        &metrics.runs_started
    };
    begun.increment(1);
    let _running = metrics.running();
    let ended = match wanted {
        Ok(()) => drive.go_whatever_breaks().await,
        Err(error) if error.kind() == ErrorKind::InvalidEvent => drive.leave_to_others(error).await,
        // The filter fell: a failed attempt like any other.
        Err(error) => drive.returned(Err(error), None).await,
    };
    match ended {
        Ended::Completed(_) => metrics.runs_completed.increment(1),
        Ended::Failed => metrics.runs_failed.increment(1),
        _ => {}
    }
    let failure = drive.failure.into_inner();
    (ended, failure.map(|error| RunFailure::new(&run, error)))
}

fn wanted(function: &Registered, claimed: &ClaimedRun) -> Result<bool> {
    // A filter speaks about the event alone, so a run with records has passed it, whatever it says by now. One that has only
    // failed may have failed by it.
    if claimed.journal.is_empty() {
        function.wants(&claimed.event_type, &claimed.payload)
    } else {
        Ok(true)
    }
}

struct Drive<'a> {
    worker: &'a Arc<Shared>,
    run: &'a Arc<LiveRun>,
    function: &'a Registered,
    lease: Lease,
    policy: RetryPolicy,
    claimed: &'a ClaimedRun,
    /// The step at which the run was asked to stop.
    target: Option<Arc<str>>,
    /// When this drive has to hand the run on, where it is driven within a delivery.
    deadline: Option<Timestamp>,
    /// Who may wake the function.
    watch: Watch,
    /// Why the run failed for good.
    failure: OnceLock<Error>,
}

/// What made the driver stop polling.
enum Event {
    Returned(Result<Arc<[u8]>>),
    Found(Found),
    Written(Written),
}

impl<'a> Drive<'a> {
    fn new(
        worker: &'a Arc<Shared>,
        run: &'a Arc<LiveRun>,
        function: &'a Registered,
        claimed: &'a ClaimedRun,
    ) -> Self {
        let options = &function.options;
        Self {
            worker,
            run,
            function,
            lease: claimed.lease,
            policy: RetryPolicy::new(claimed.retries.or(options.retries), options.backoff),
            target: worker.target_of(&claimed.run_id),
            deadline: worker.hand_on_at(),
            watch: Watch::default(),
            failure: OnceLock::new(),
            claimed,
        }
    }

    /// Drives the run. A panic that nobody expected is a failed attempt: to only try again would have no end.
    async fn go_whatever_breaks(&self) -> Ended {
        let mut going = pin!(Some(self.go()));
        match guard::to_the_end(going.as_mut()).await {
            Ok(ended) => ended,
            Err(error) => self.returned(Err(error), None).await,
        }
    }

    async fn go(&self) -> Ended {
        if self
            .target
            .as_ref()
            .is_some_and(|target| self.run.has_recorded(target))
        {
            return self.end(Outbox::default(), Transition::Stop).await;
        }
        let scope = Scope::root(Arc::clone(self.run));
        let invocation = Invocation {
            scope,
            event_type: Arc::clone(&self.run.event_type),
            payload: Arc::clone(&self.run.payload),
        };
        let limited = self.limited(self.inside_middleware(invocation));
        let mut function = Held::new(CURRENT_RUN.scope(Arc::clone(self.run), limited));
        let waker = Arc::new(FunctionWaker::new());
        let function_waker = Waker::from(Arc::clone(&waker));
        let mut write: Option<Underway<'_>> = None;
        let mut stay = Stay::default();
        loop {
            let event = poll_fn(|cx| {
                let wakers = (&*waker, &function_waker);
                self.turn(cx, &mut function, wakers, &mut stay, write.as_mut())
            })
            .await;
            match event {
                Event::Returned(outcome) => return self.returned(outcome, write.take()).await,
                Event::Found(Found::Violation(error)) => {
                    return self.violated(error, write.take()).await;
                }
                Event::Found(Found::LeaseLost) => return self.lease_lost(),
                Event::Found(Found::Unsure) => {
                    if let Err(ended) = self.make_sure().await {
                        return ended;
                    }
                }
                Event::Found(Found::Idle(due_at)) => {
                    let outbox = self.run.take_outbox();
                    return self.end(outbox, Transition::Suspend { due_at }).await;
                }
                Event::Found(Found::Flush { outbox, settled }) => {
                    let transition = self.after_steps(&outbox, settled);
                    if let Some(transition) = &transition
                        && !settled
                    {
                        let mut all = outbox;
                        all.append(self.run.take_outbox());
                        return self.end(all, transition.clone()).await;
                    }
                    let count = outbox.entries.len();
                    let written = self.write(outbox.entries, transition.clone());
                    write = Some((written, count, transition));
                }
                Event::Found(Found::Nothing | Found::Rest(_)) => {}
                Event::Written(result) => {
                    let Some((_, count, transition)) = write.take() else {
                        continue;
                    };
                    if let Err(ended) = self.applied(result).await {
                        return ended;
                    }
                    self.worker.went_on(&self.run.run_id);
                    match transition {
                        Some(transition) => return self.ended(transition),
                        None => self.run.redeem(count),
                    }
                    // A store that is always done at once would otherwise never let others have a turn.
                    tokio::task::coop::consume_budget().await;
                }
            }
        }
    }

    /// One drive of the function, with whatever the program has put around it.
    async fn inside_middleware(&self, invocation: Invocation) -> Result<Arc<[u8]>> {
        let start = self.function.def.start;
        let body = pin!(catch_panic(async move { start(invocation).await }));
        let layers = &self.worker.middleware;
        if layers.is_empty() {
            return self.watch.watched(body).await;
        }
        let body = pin!(self.watch.watched(body));
        let info = RunInfo::new(self.run);
        middleware::around(layers, Around::Run(&info), body).await
    }

    /// Puts the function's `timeout` around one drive of it.
    async fn limited(&self, body: impl Future<Output = Result<Arc<[u8]>>>) -> Result<Arc<[u8]>> {
        let Some(timeout) = self.function.options.timeout else {
            return body.await;
        };
        let clock = &self.worker.clock;
        tokio::select! {
            biased;
            outcome = body => outcome,
            () = clock.expire_at(clock.now().after(timeout)) => {
                Err(Error::new(ErrorKind::TimedOut, format!("the function timed out after {timeout:?}")))
            }
        }
    }

    /// One turn: the write under way, then the function if something woke it, then what it left behind.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an exclusive borrow cannot be copied"
    )]
    fn turn<F: Future<Output = Result<Arc<[u8]>>>>(
        &self,
        cx: &mut Context<'_>,
        function: &mut Held<F>,
        (waker, function_waker): (&FunctionWaker, &Waker),
        stay: &mut Stay,
        write: Option<&mut Underway<'_>>,
    ) -> Poll<Event> {
        let busy = write.is_some();
        // To wake a driver that is awake would have it polled once more, and another thread of the runtime woken for it.
        // Both have its waker or neither.
        if waker.forget_driver() {
            self.run.forget_driver();
        }
        if let Some((write, ..)) = write
            && let Poll::Ready(result) = Pin::new(write).poll(cx)
        {
            return Poll::Ready(Event::Written(result));
        }
        for _ in 0..TURNS {
            if self.run.has_lost_lease() {
                return Poll::Ready(Event::Found(Found::LeaseLost));
            }
            if waker.take_woken() {
                stay.woken();
                let polled = function.poll(&mut Context::from_waker(function_waker));
                if let Poll::Ready(outcome) = polled {
                    return Poll::Ready(Event::Returned(outcome));
                }
            }
            let mut stays = false;
            match self.run.look(busy, waker.is_woken()) {
                // It is not, or no longer, idle: the next time begins anew.
                Found::Nothing => stay.moved_on(),
                Found::Rest(moment) => {
                    stay.moved_on();
                    if self.worker.clock.skip_to(moment) {
                        continue;
                    }
                }
                Found::Idle(due_at) => match stay.verdict(self, cx) {
                    _ if waker.is_woken() => continue,
                    Verdict::Leave => return Poll::Ready(Event::Found(Found::Idle(due_at))),
                    Verdict::Again => {
                        waker.poll_again();
                        continue;
                    }
                    // What was recorded for a run that leaves is recorded now.
                    Verdict::Stay => {
                        stays = true;
                        let outbox = self.run.take_part();
                        let settled = false;
                        if !outbox.entries.is_empty() {
                            let flush = Found::Flush { outbox, settled };
                            return Poll::Ready(Event::Found(flush));
                        }
                    }
                },
                found => {
                    stay.moved_on();
                    return Poll::Ready(Event::Found(found));
                }
            }
            if self.run.wait_for_steps(cx.waker(), busy, stays) && waker.wait(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the run stops here although it could go on: after the step that was asked for, or between deliveries.
    ///
    /// `settled` says that no other step is under way; only the step that was asked for stops the run regardless.
    fn after_steps(&self, outbox: &Outbox, settled: bool) -> Option<Transition> {
        let mut recorded = outbox
            .entries
            .iter()
            .filter(|entry| entry.kind == StepKind::Step && entry.state != StepState::Waiting)
            .peekable();
        recorded.peek()?;
        if recorded.any(|entry| self.target.as_deref() == Some(&*entry.path)) {
            return Some(Transition::Stop);
        }
        let clock = &self.worker.clock;
        let hand_on = self.function.options.continuation == Continuation::PerStep
            || self
                .deadline
                .is_some_and(|deadline| clock.now() >= deadline)
            || self.worker.is_draining();
        (hand_on && settled).then(|| Transition::Suspend {
            due_at: self.worker.time_to_go_on(clock.now()),
        })
    }
}
