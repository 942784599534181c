//! The function: a trial with two waits, which an event cancels.

use std::time::Duration;

use belts::{Event, State, sleep, step};
use serde::{Deserialize, Serialize};

use crate::outbox::Outbox;

/// Eleven days, and then three, if this were not an example.
const UNTIL_REMINDER: Duration = Duration::from_secs(4);
const UNTIL_BILL: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = customer)]
pub(crate) struct TrialBegun {
    pub(crate) customer: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = customer)]
pub(crate) struct TrialCancelled {
    pub(crate) customer: String,
}

#[belts::function(id = "trial", on = TrialBegun, cancel_on = TrialCancelled)]
pub(crate) async fn trial(trial: TrialBegun, State(outbox): State<Outbox>) -> belts::Result<()> {
    let customer = &trial.customer;
    step!("welcome", outbox.mail(customer, "welcome")).await?;
    sleep!("until-reminder", UNTIL_REMINDER).await?;
    step!("remind", outbox.mail(customer, "reminder")).await?;
    sleep!("until-bill", UNTIL_BILL).await?;
    step!("bill", outbox.mail(customer, "bill")).await
}
