//! How many runs this worker may take on, in all and of each function.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{
    registry::Registry,
    store::{Capacity, FunctionCapacity, LaneLimit, WorkerId},
};

/// The places for runs.
#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    /// Told whenever a place becomes free.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    used: usize,
    limit: usize,
    functions: Vec<FunctionSlots>,
}

#[derive(Debug)]
struct FunctionSlots {
    id: Arc<str>,
    /// The event types that it can read.
    event_types: Arc<[Arc<str>]>,
    /// Its limits of runs at once over all workers.
    lanes: Option<Arc<[LaneLimit]>>,
    used: usize,
    limit: usize,
}

/// Places held for runs that a claim may bring. What is not taken is given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    slots: Arc<Slots>,
    /// How many places in all, and of which function at most how many.
    total: usize,
    functions: Vec<(usize, usize)>,
    /// Whether nobody is told of what is given back: the loop, which alone waits for it, holds this itself.
    quiet: bool,
}

/// The place of one run, given back on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    function: usize,
}

impl Slots {
    pub(crate) fn new(limit: usize, registry: &Registry) -> Self {
        let functions = registry
            .functions()
            .iter()
            .map(|function| FunctionSlots {
                id: Arc::clone(&function.id),
                event_types: function.event_types().map(Arc::from).collect(),
                lanes: function.limits(),
                used: 0,
                limit: function.options.concurrency.unwrap_or(usize::MAX).max(1),
            })
            .collect();
        Self {
            state: Mutex::new(State {
                used: 0,
                limit,
                functions,
            }),
            freed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        self.state().limit = limit;
        self.freed.notify_one();
    }

    /// How many runs have a place.
    pub(crate) fn used(&self) -> usize {
        self.state().used
    }

    /// Whether no run of any function has a place left.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        let mut functions = state.functions.iter();
        state.used >= state.limit || functions.all(|function| function.used >= function.limit)
    }

    /// Returns when a place has become free since the last call.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Holds every free place.
    pub(crate) fn reserve_all(self: &Arc<Self>) -> Reservation {
        let mut state = self.state();
        let total = state.limit.saturating_sub(state.used);
        let functions = state
            .functions
            .iter()
            .map(|function| total.min(function.limit.saturating_sub(function.used)));
        let functions = functions
            .enumerate()
            .filter(|(_, places)| *places > 0)
            .collect();
        self.hold(&mut state, total, functions, true)
    }

    /// Holds one place for each of these functions, as far as places are free; `force` goes over the limits.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        wanted: impl Iterator<Item = usize>,
        force: bool,
    ) -> Reservation {
        let mut state = self.state();
        let free = if force {
            usize::MAX
        } else {
            state.limit.saturating_sub(state.used)
        };
        let functions: Vec<_> = wanted
            .filter(|&index| force || state.functions[index].used < state.functions[index].limit)
            .take(free)
            .map(|index| (index, 1))
            .collect();
        let total = functions.len();
        self.hold(&mut state, total, functions, false)
    }

    fn hold(
        self: &Arc<Self>,
        state: &mut State,
        total: usize,
        functions: Vec<(usize, usize)>,
        quiet: bool,
    ) -> Reservation {
        let total = if functions.is_empty() { 0 } else { total };
        state.used += total;
        for (index, places) in &functions {
            state.functions[*index].used += places;
        }
        Reservation {
            slots: Arc::clone(self),
            total,
            functions,
            quiet,
        }
    }
}

impl Reservation {
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether a function has no place here.
    pub(crate) fn leaves_out(&self, registry: &Registry) -> bool {
        self.functions.len() < registry.functions().len()
    }

    /// What to ask the store for.
    pub(crate) fn capacity(&self, worker: WorkerId) -> Capacity {
        let state = self.slots.state();
        let functions = self
            .functions
            .iter()
            .map(|(index, limit)| {
                let function = &state.functions[*index];
                let mut capacity = FunctionCapacity::new(Arc::clone(&function.id), *limit);
                capacity.event_types = Some(Arc::clone(&function.event_types));
                capacity.lanes.clone_from(&function.lanes);
                capacity
            })
            .collect::<Arc<[_]>>();
        Capacity::new(worker, self.total, functions)
    }

    /// The place for a run that the claim brought.
    pub(crate) fn take(&mut self, function: usize) -> Slot {
        match self
            .functions
            .iter_mut()
            .find(|(index, _)| *index == function)
        {
            Some((_, places)) if *places > 0 && self.total > 0 => {
                *places -= 1;
                self.total -= 1;
            }
            // The store brought more than was asked for; it is counted all the same.
            _ => {
                let mut state = self.slots.state();
                state.used += 1;
                state.functions[function].used += 1;
            }
        }
        Slot {
            slots: Arc::clone(&self.slots),
            function,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.functions.is_empty() {
            return;
        }
        let mut state = self.slots.state();
        state.used -= self.total;
        for (index, places) in &self.functions {
            state.functions[*index].used -= places;
        }
        drop(state);
        if self.total > 0 && !self.quiet {
            self.slots.freed.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.used -= 1;
        state.functions[self.function].used -= 1;
        drop(state);
        self.slots.freed.notify_one();
    }
}
