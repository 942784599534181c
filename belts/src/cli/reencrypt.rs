//! The command `reencrypt`.

use serde::Serialize;

use super::{
    place::Place,
    print::{self, Out, plain, plural},
    wrong::Wrong,
};
use crate::store::Reencrypted;

#[derive(Serialize)]
struct Shown<'a> {
    events: usize,
    runs: usize,
    schedules: usize,
    changed: usize,
    closed: usize,
    keys: Vec<&'a str>,
}

/// Goes through the store part by part, and shows the progress.
pub(super) async fn reencrypt(place: &dyn Place, out: Out) -> Result<(), Wrong> {
    let mut reencrypt = place.reencrypt()?;
    loop {
        match reencrypt.next().await {
            Ok(true) => print::tell(&format!("{} so far", looked_at(reencrypt.done()))),
            Ok(false) => break,
            Err(error) => {
                print::tell(&format!(
                    "stopped after {}; run this again to go on",
                    looked_at(reencrypt.done())
                ));
                return Err(error.into());
            }
        }
    }
    let done = reencrypt.done();
    if out.json {
        print::object(&Shown {
            events: done.events,
            runs: done.runs,
            schedules: done.schedules,
            changed: done.changed,
            closed: done.closed,
            keys: done.keys.iter().map(|key| &**key).collect(),
        })?;
    } else {
        print::write(&format!("encrypted {}\n", looked_at(done)))?;
    }
    if done.closed == 0 {
        return Ok(());
    }
    let keys: Vec<String> = done.keys.iter().map(|key| plain(key)).collect();
    Err(Wrong::Failed(format!(
        "{} did not open and stayed as before: the keys {} are missing or are others of the same id, or the values were changed or moved",
        plural(done.closed, "value"),
        keys.join(", ")
    )))
}

fn looked_at(done: &Reencrypted) -> String {
    format!(
        "{} of {}, {} and {}",
        plural(done.changed, "value"),
        plural(done.runs, "run"),
        plural(done.events, "event"),
        plural(done.schedules, "schedule")
    )
}
