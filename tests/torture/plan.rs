//! What is published, and what must come of it.

use belts::{Published, Worker};

use crate::functions::{
    Announce, Contest, Doomed, Exchange, Family, Fan, Lap, Nap, Overlap, Parcels, Restless,
    Sequence, Stumble, Voyage, member_key, publish_announce, publish_contest, publish_doomed,
    publish_exchange, publish_family, publish_fan, publish_lap, publish_nap, publish_overlap,
    publish_parcels, publish_restless, publish_sequence, publish_stumble, publish_voyage,
    question_key, reply_key, wanted,
};
use crate::versions::{Placed, Returned, publish_placed, publish_returned};

/// One event of the plan.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    key: String,
    kind: usize,
}

/// A run that must be there, once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Expected {
    pub(crate) function: &'static str,
    pub(crate) key: String,
    pub(crate) fails: bool,
}

/// The functions that start for events of the plan and of its runs.
pub(crate) const FUNCTIONS: [&str; 20] = [
    "added", "announce", "contest", "doomed", "exchange", "family", "fan", "laps", "ledger",
    "member", "nap", "overlap", "parcels", "picky", "reply", "respond", "restless", "sequence",
    "stumble", "voyage",
];

/// How many kinds of events there are.
const KINDS: usize = 16;

/// So many events, of all kinds in turn.
pub(crate) fn items(count: usize) -> Vec<Item> {
    (0..count)
        .map(|n| Item {
            key: format!("e{n}"),
            kind: n % KINDS,
        })
        .collect()
}

impl Item {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Publishes under the item's key; safe to repeat.
    pub(crate) async fn publish(&self, worker: &Worker) -> belts::Result<Published> {
        let key = self.key.clone();
        let publish = match self.kind {
            0 => publish_sequence(Sequence { key }),
            1 => publish_fan(Fan { key }),
            2 => publish_lap(Lap { key }),
            3 => publish_stumble(Stumble { key }),
            4 => publish_doomed(Doomed { key }),
            5 => publish_restless(Restless { key }),
            6 => publish_nap(Nap { key }),
            7 => publish_overlap(Overlap { key }),
            8 => publish_announce(Announce { key }),
            9 => publish_parcels(Parcels { key }),
            10 => publish_placed(Placed { key }),
            11 => publish_exchange(Exchange { key }),
            12 => publish_family(Family { key }),
            13 => publish_contest(Contest { key }),
            14 => publish_voyage(Voyage { key }),
            _ => publish_returned(Returned { key }),
        };
        publish.idempotency_key(&self.key).via(worker).await
    }

    /// The runs that it starts, those of the second generation included.
    pub(crate) fn expected(&self) -> Vec<Expected> {
        let run = |function, key: &str| Expected {
            function,
            key: key.to_owned(),
            fails: function == "doomed" || function == "voyage",
        };
        let key = self.key.as_str();
        match self.kind {
            0 => vec![run("sequence", key)],
            1 => vec![run("fan", key)],
            2 if wanted(key) => vec![run("laps", key), run("picky", key)],
            2 => vec![run("laps", key)],
            3 => vec![run("stumble", key)],
            4 => vec![run("doomed", key)],
            5 => vec![run("restless", key)],
            6 => vec![run("nap", key)],
            7 => vec![run("overlap", key)],
            8 => vec![run("announce", key), run("reply", &reply_key(key))],
            9 => vec![run("parcels", key)],
            10 => vec![run("ledger", key), run("added", key)],
            11 => vec![run("exchange", key), run("respond", &question_key(key))],
            12 => {
                let members = (0..3).map(|n| run("member", &member_key(key, n)));
                members.chain([run("family", key)]).collect()
            }
            13 => vec![run("contest", key)],
            14 => vec![run("voyage", key), run("apology", key)],
            _ => vec![run("ledger", key)],
        }
    }
}
