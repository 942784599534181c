//! What a function can ask about its run.

use std::{sync::Arc, time::SystemTime};

use super::{
    current::{CURRENT_STEP, id_in_step},
    run::LiveRun,
};
use crate::id::stable_id;

/// What a function can ask about its run; take it as a parameter after the event.
///
/// ```
/// use belts::{Context, Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Paid { order_id: String }
///
/// async fn charge(order_id: &str, idempotency_key: String) -> belts::Result<String> {
///     Ok(format!("{order_id} charged under {idempotency_key}"))
/// }
///
/// #[belts::function(id = "charge", on = Paid)]
/// async fn charge_order(paid: Paid, cx: Context) -> belts::Result<String> {
///     step!("charge", charge(&paid.order_id, cx.idempotency_key("card"))).await
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) run: Arc<LiveRun>,
}

impl Context {
    pub(crate) fn new(run: Arc<LiveRun>) -> Self {
        Self { run }
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run.run_id
    }

    /// The function's id.
    pub fn function_id(&self) -> &str {
        &self.run.function_id
    }

    /// The id of the event that started the run.
    pub fn event_id(&self) -> &str {
        &self.run.event_id
    }

    /// When the run first started; the same on every attempt.
    pub fn timestamp(&self) -> SystemTime {
        self.run.started_at.to_system_time()
    }

    /// Which attempt of the function this is, from 1. A resumption after a sleep or a crash is no new attempt.
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// A key for outside calls that is the same on every retry and restart of this step, and differs between runs,
    /// steps and labels. It is another one once the step was [undone](crate::guide::undoing) and a rerun does it anew.
    pub fn idempotency_key(&self, label: &str) -> String {
        let run_id = &*self.run.run_id;
        CURRENT_STEP
            .try_with(|step| id_in_step(&step.attempt, &[run_id, &step.attempt.path, label]))
            .unwrap_or_else(|_| stable_id(&[run_id, "", label]))
    }
}
