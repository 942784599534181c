//! Polls a function with a waker of its own, to know who else may still wake it.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Wake, Waker},
};

use crate::live::LiveRun;

/// The waker that the function is polled with.
struct Inside(Waker);

impl Wake for Inside {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Polls the function, and knows who may wake it.
#[derive(Default)]
pub(super) struct Watch {
    inside: Mutex<Weak<Inside>>,
    renew: AtomicBool,
}

/// What else the function awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Nothing,
    /// Something, or only what holds the parked steps.
    Perhaps,
    Something,
}

impl Watch {
    /// Polls the function to its end.
    pub(super) async fn watched<T>(&self, mut function: Pin<&mut impl Future<Output = T>>) -> T {
        let mut wakers: Option<(Waker, Waker)> = None;
        poll_fn(move |cx| {
            let renew = self.renew.load(Ordering::Acquire);
            let inside = match &mut wakers {
                Some((outside, inside)) if !renew && outside.will_wake(cx.waker()) => inside,
                wakers => {
                    &mut wakers
                        .insert((cx.waker().clone(), self.renewed(cx.waker())))
                        .1
                }
            };
            function.as_mut().poll(&mut Context::from_waker(inside))
        })
        .await
    }

    fn renewed(&self, outside: &Waker) -> Waker {
        self.renew.store(false, Ordering::Release);
        let inside = Arc::new(Inside(outside.clone()));
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&inside);
        Waker::from(inside)
    }

    pub(super) fn others(&self, run: &LiveRun) -> Others {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(inside) = inside.upgrade() else {
            return Others::Nothing;
        };
        let waker = Waker::from(Arc::clone(&inside));
        let (own, foreign) = run.known_wakers(&waker);
        // The two above, and that of the future that polls the function.
        let others = Arc::strong_count(&inside).saturating_sub(3 + own);
        // Who has just dropped a clone may have woken the function before: that is seen after this.
        fence(Ordering::Acquire);
        match others {
            0 => Others::Nothing,
            others if others <= foreign => Others::Perhaps,
            _ => Others::Something,
        }
    }

    /// Has the function polled with a new waker the next time.
    pub(super) fn renew(&self) {
        self.renew.store(true, Ordering::Release);
    }
}
