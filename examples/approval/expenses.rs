//! The function: a callback, a deadline, and a race between the two.

use std::time::Duration;

use belts::{Event, State, callback, race, sleep, step};
use serde::{Deserialize, Serialize};

use crate::mailbox::Mailbox;

/// Smaller ones need no manager.
const LIMIT_CENTS: u64 = 10_000;
/// Days, if this were not an example.
const DEADLINE: Duration = Duration::from_secs(8);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = expense_id)]
pub(crate) struct ExpenseFiled {
    pub(crate) expense_id: String,
    pub(crate) cents: u64,
}

/// What the manager says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decision {
    Approve,
    Reject,
}

/// What becomes of an expense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Approved,
    Rejected,
    Expired,
}

#[belts::function(id = "approve-expense", on = ExpenseFiled)]
async fn approve_expense(
    expense: ExpenseFiled,
    State(mailbox): State<Mailbox>,
) -> belts::Result<Outcome> {
    let ExpenseFiled { expense_id, cents } = &expense;
    let outcome = if *cents <= LIMIT_CENTS {
        Outcome::Approved
    } else {
        let approval = callback!(
            "approval",
            Decision,
            page = "Approve expense {expense_id} of {cents} cents?"
        )
        .await?;
        step!("ask", mailbox.ask(expense_id, &approval.url()?)).await?;
        race!("decision", {
            decided = approval.result() => match decided? {
                Decision::Approve => Outcome::Approved,
                Decision::Reject => Outcome::Rejected,
            },
            late = sleep!("deadline", DEADLINE) => { late?; Outcome::Expired }
        })
        .await?
    };
    step!("book", mailbox.book(expense_id, outcome)).await?;
    Ok(outcome)
}
