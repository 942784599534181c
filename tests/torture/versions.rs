//! Two versions of one program that work side by side, as while a new one is being deployed and rolled back.
//!
//! The new version has a function more, and its ledger takes an event type more. Of what the old one does not know nothing may
//! be lost, and nothing may fail.

use belts::{Context, Event, WorkerBuilder, scope, step};
use serde::{Deserialize, Serialize};

use crate::{functions, trail::Trail};

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Placed {
    pub(crate) key: String,
}

/// Only the new version knows it.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Returned {
    pub(crate) key: String,
}

/// Which version of the program a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Old,
    New,
}

impl Version {
    /// The functions of this version.
    pub(crate) fn functions(self, builder: WorkerBuilder) -> WorkerBuilder {
        let builder = functions::of_both(builder);
        match self {
            Self::Old => builder.function(old::ledger),
            Self::New => builder.function(new::ledger).function(new::added),
        }
    }
}

mod old {
    use super::{Context, Placed, Trail, book, scope};

    #[belts::function(id = "ledger", on = Placed)]
    pub(super) async fn ledger(event: Placed, cx: Context) -> belts::Result<String> {
        let trail = Trail::start(&cx, &event.key);
        let booked = scope!("book", book(&trail)).await?;
        Ok(trail.end(&booked))
    }
}

mod new {
    use super::{
        Context, Deserialize, Event, Placed, Returned, Serialize, Trail, book, scope, step,
    };

    #[derive(Debug, Serialize, Deserialize, Event)]
    pub(super) enum Movement {
        Placed(Placed),
        Returned(Returned),
    }

    #[belts::function(id = "ledger", on = Movement)]
    pub(super) async fn ledger(event: Movement, cx: Context) -> belts::Result<String> {
        let (Movement::Placed(Placed { key }) | Movement::Returned(Returned { key })) = event;
        let trail = Trail::start(&cx, &key);
        let booked = scope!("book", book(&trail)).await?;
        Ok(trail.end(&booked))
    }

    #[belts::function(id = "added", on = Placed)]
    pub(super) async fn added(event: Placed, cx: Context) -> belts::Result<String> {
        let trail = Trail::start(&cx, &event.key);
        let tell = trail.returned("tell", step!("tell", trail.act("tell")).await?);
        Ok(trail.end(&[tell]))
    }
}

/// Both versions of the ledger do the same, and go on with each other's runs.
#[belts::steps]
async fn book(trail: &Trail) -> belts::Result<[String; 2]> {
    let debit = step!("debit", trail.act("book/debit")).await?;
    let debit = trail.returned("book/debit", debit);
    let credit = step!("credit", trail.act("book/credit")).await?;
    Ok([debit, trail.returned("book/credit", credit)])
}
