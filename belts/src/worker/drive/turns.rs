//! The turns of a drive: the function is polled, and what its steps leave behind is written, until the run ends or leaves.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    driver::Drive,
    look::Look,
    stay::{Stay, StayVerdict},
    waker::FunctionWaker,
    write::{Underway, Written},
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    function::{Continuation, Invocation},
    live::{CURRENT_RUN, Found, Outbox},
    middleware::{self, Around},
    panic::{self, Held, catch_future},
    step::Scope,
    store::{StepKind, StepState, Transition},
    worker::{Worker, ended::Ended, installed},
};

/// The most turns between function and store in one poll, so that a run of fast steps lets others have a turn.
const TURNS: usize = 64;

/// What made the driver stop polling.
enum Stop {
    Returned(Result<Arc<[u8]>>),
    Found(Found),
    Written(Written),
    /// The store has said what has arrived.
    Looked,
}

impl<'a> Drive<'a> {
    /// Drives the run. A panic that nobody expected is a failed attempt: to only try again would have no end.
    pub(super) async fn go_whatever_breaks(&self) -> Ended {
        let mut going = pin!(Some(self.go()));
        match panic::to_the_end(going.as_mut()).await {
            Ok(ended) => ended,
            Err(error) => self.returned(Err(error), None).await,
        }
    }

    async fn go(&self) -> Ended {
        if !self.run.is_undoing()
            && self
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
        let limited = async {
            if self.run.is_undoing() {
                return Box::pin(self.undo(invocation)).await;
            }
            self.limited(self.inside_middleware(invocation)).await
        };
        let limited = CURRENT_RUN.scope(Arc::clone(self.run), limited);
        let worker = Worker::from_shared(Arc::clone(self.worker));
        let mut function = Held::new(installed::scope(worker, limited));
        let waker = Arc::new(FunctionWaker::new());
        let function_waker = Waker::from(Arc::clone(&waker));
        let mut write: Option<Underway<'_>> = None;
        let mut look: Option<Look<'_>> = None;
        let mut stay = Stay::default();
        let mut waits = false;
        loop {
            let event = poll_fn(|cx| {
                let wakers = (&*waker, &function_waker);
                let underway = (write.as_mut(), look.as_mut());
                self.turn(cx, &mut function, wakers, &mut stay, underway)
            })
            .await;
            match event {
                Stop::Returned(outcome) => return self.returned(outcome, write.take()).await,
                Stop::Found(Found::Violation(error)) => {
                    return self.violated(error, write.take()).await;
                }
                Stop::Found(found @ (Found::LeaseLost | Found::Cancelled)) => {
                    self.let_steps_finish(&mut function, (&waker, &function_waker))
                        .await;
                    if matches!(found, Found::LeaseLost) {
                        return self.lease_lost();
                    }
                    // It is gone before the record says so.
                    drop(function);
                    return match self.ended_by(write.take()).await {
                        Some(ended) => ended,
                        None => self.cancel().await,
                    };
                }
                Stop::Found(Found::Unsure) => {
                    if let Err(ended) = self.make_sure().await {
                        return ended;
                    }
                }
                Stop::Found(Found::Look) => look = Some(self.look_for_arrivals()),
                Stop::Looked => look = None,
                Stop::Found(Found::Idle(due_at)) => {
                    let mut outbox = self.run.take_outbox();
                    let passed = self.run.pass_over(self.worker.clock.is_manual());
                    outbox.entries.extend(passed);
                    return self.end(outbox, self.rest(due_at)).await;
                }
                Stop::Found(Found::Flush { outbox, settled }) => {
                    if let Some(transition) = self.after_steps(&outbox, settled) {
                        // The function is not polled meanwhile: a step that began now could not be recorded.
                        let mut all = outbox;
                        all.append(self.run.take_outbox());
                        return self.end_after_steps(all, transition).await;
                    }
                    waits |= outbox
                        .entries
                        .iter()
                        .any(|entry| entry.wait.is_some() && entry.state == StepState::Waiting);
                    write = Some(self.begin_write(outbox));
                }
                Stop::Found(Found::Nothing | Found::Rest(_)) => {}
                Stop::Written(result) => {
                    let Some(done) = write.take() else {
                        continue;
                    };
                    match self.written(done, result, &mut waits).await {
                        Ok(again) => write = again,
                        Err(ended) => {
                            // That it was cancelled may be heard of by a write that is refused.
                            if self.run.has_lost_lease() {
                                self.let_steps_finish(&mut function, (&waker, &function_waker))
                                    .await;
                            }
                            return ended;
                        }
                    }
                    // A store that is always done at once would otherwise never let others have a turn.
                    tokio::task::coop::consume_budget().await;
                }
            }
        }
    }

    /// What a write that is over has made durable; the write that takes its place, if it is to be written once more.
    async fn written(
        &self,
        done: Underway<'a>,
        result: Written,
        waits: &mut bool,
    ) -> Result<Option<Underway<'a>>, Ended> {
        let again = self.write_again(&done, &result);
        if again.is_some() {
            return Ok(again);
        }
        self.applied(result).await?;
        // A heartbeat or a status is no progress.
        if done.gets_on {
            self.worker.setbacks.went_on(&self.run.run_id);
        }
        if done.undoable {
            self.run.undoable_is_durable();
        }
        self.run.redeem(done.records, done.gets_on);
        self.run.have_tags(&done.tags);
        // What came before the wait was there makes nobody wake.
        if std::mem::take(waits) {
            self.run.ask_for_arrivals();
        }
        Ok(None)
    }

    /// How a run leaves memory whose steps all wait.
    ///
    /// What has arrived for a wait that the function holds without polling it, or no longer has, would make the run due at once, again
    /// and again.
    fn rest(&self, due_at: Option<Timestamp>) -> Transition {
        let Some(path) = self.run.unheard() else {
            return Transition::suspend(due_at);
        };
        let told = format!("unheard {} {path}", self.function.id);
        if self.worker.warned.is_first(&told.into()) {
            let ids = self.run.ids();
            tracing::warn!(
                function = ids.function, run = ids.run, wait = %path,
                "an event arrived for a wait that the function is not awaiting, so the run is resumed now and then until it awaits the wait \
                 or ends"
            );
        }
        let pause = self.worker.setbacks.gave_up(&self.run.run_id, false).pause;
        let later = self.worker.clock.now().after(pause);
        Transition::put_off(due_at.map_or(later, |due_at| due_at.min(later)))
    }

    /// One drive of the function, with whatever the program has put around it.
    async fn inside_middleware(&self, invocation: Invocation) -> Result<Arc<[u8]>> {
        let start = self.function.def.start;
        let body = pin!(catch_future(async move { start(invocation).await }));
        let layers = &self.worker.host.middleware;
        if layers.is_empty() {
            return self.watch.watched(body).await;
        }
        let body = pin!(self.watch.watched(body));
        let info = self.run.info();
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
    fn turn<F: Future<Output = Result<Arc<[u8]>>>>(
        &self,
        cx: &mut Context<'_>,
        function: &mut Held<F>,
        (waker, function_waker): (&FunctionWaker, &Waker),
        stay: &mut Stay,
        (write, look): (Option<&mut Underway<'_>>, Option<&mut Look<'_>>),
    ) -> Poll<Stop> {
        let busy = write.is_some();
        // To wake a driver that is awake would have it polled once more, and another thread of the runtime woken for it.
        // Both have its waker or neither.
        if waker.forget_driver() {
            self.run.forget_driver();
        }
        if let Some(underway) = write
            && let Poll::Ready(result) = Pin::new(&mut underway.write).poll(cx)
        {
            return Poll::Ready(Stop::Written(result));
        }
        if let Some(look) = look
            && look.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Stop::Looked);
        }
        for _ in 0..TURNS {
            if self.run.has_lost_lease() {
                return Poll::Ready(Stop::Found(Found::LeaseLost));
            }
            if self.run.is_cancelled() {
                return Poll::Ready(Stop::Found(Found::Cancelled));
            }
            if waker.take_woken() {
                stay.woken();
                let polled = function.poll(&mut Context::from_waker(function_waker));
                if let Poll::Ready(outcome) = polled {
                    return Poll::Ready(Stop::Returned(outcome));
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
                    StayVerdict::Leave => return Poll::Ready(Stop::Found(Found::Idle(due_at))),
                    StayVerdict::Again => {
                        waker.poll_again();
                        continue;
                    }
                    // What was recorded for a run that leaves is recorded now.
                    StayVerdict::Stay => {
                        stays = true;
                        let outbox = self.run.take_part();
                        let settled = false;
                        if !outbox.is_empty() {
                            let flush = Found::Flush { outbox, settled };
                            return Poll::Ready(Stop::Found(flush));
                        }
                        if self.run.asks_for_arrivals() {
                            return Poll::Ready(Stop::Found(Found::Look));
                        }
                    }
                },
                found => {
                    stay.moved_on();
                    return Poll::Ready(Stop::Found(found));
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
            .filter(|entry| {
                let is_step = matches!(entry.kind, StepKind::Step | StepKind::Undo);
                is_step && entry.state != StepState::Waiting
            })
            .peekable();
        recorded.peek()?;
        let stops = !self.run.is_undoing();
        if stops && recorded.any(|entry| self.target.as_deref() == Some(&*entry.path)) {
            return Some(Transition::Stop);
        }
        let clock = &self.worker.clock;
        let hand_on = self.function.options.continuation == Continuation::PerStep
            || self
                .deadline
                .is_some_and(|deadline| clock.now() >= deadline)
            || self.worker.is_draining();
        (hand_on && settled).then(|| Transition::suspend(self.worker.time_to_go_on(clock.now())))
    }
}
