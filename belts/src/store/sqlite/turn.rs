//! Turns: the right to write to the database on another connection than the writer's, while nobody else of this process writes.

use std::{collections::VecDeque, fmt, sync::Arc};

use tokio::sync::oneshot;

/// Whoever has the right and lends it.
pub(super) trait Lender: Send + Sync {
    /// Takes it back, at the end of a turn.
    fn take_back(&self);
}

/// The right to write.
pub(super) struct Turn(Option<Arc<dyn Lender>>);

impl Turn {
    pub(super) fn new(lender: Arc<dyn Lender>) -> Self {
        Self(Some(lender))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").finish_non_exhaustive()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lender) = self.0.take() {
            lender.take_back();
        }
    }
}

/// Who is first where both wait: those who write, or those who want a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Write,
    Turn,
}

/// One who waits for a turn.
pub(super) struct Waiting(Arc<dyn Lender>, oneshot::Sender<Turn>);

impl Waiting {
    /// Gives the turn; whether that one is still there.
    pub(super) fn give(self) -> bool {
        match self.1.send(Turn::new(self.0)) {
            Ok(()) => true,
            Err(mut turn) => {
                turn.0 = None;
                false
            }
        }
    }
}

/// Those who wait for a turn.
#[derive(Default)]
pub(super) struct Turns(VecDeque<Waiting>);

impl Turns {
    /// Queues for a turn.
    pub(super) fn wait(&mut self, lender: Arc<dyn Lender>) -> oneshot::Receiver<Turn> {
        let (sender, turn) = oneshot::channel();
        self.0.push_back(Waiting(lender, sender));
        turn
    }

    /// Who has a turn now, if it is not for those who write.
    pub(super) fn next(&mut self, next: Next, writes_wait: bool) -> Option<Waiting> {
        if next == Next::Write && writes_wait {
            return None;
        }
        self.0.pop_front()
    }
}
