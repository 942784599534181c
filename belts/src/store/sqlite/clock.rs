//! The clocks of workers, as far as the store has heard of them: what is due at once, and what stays due.

use std::time::Duration;

use rusqlite::params;

use super::{error::Fault, tx::Tx};
use crate::store::Timestamp;

/// Requests of one moment come in any order, so a clock counts as set back only from here on.
const OUT_OF_ORDER: Duration = Duration::from_secs(1);

impl Tx<'_> {
    /// Takes note of a worker's clock where a session is written in any case.
    pub(super) fn hear_of(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.heed_clock(now)?;
        let seen = self.seen()?.map_or(now, |seen| seen.max(now));
        self.keep_seen(seen)
    }

    /// If a worker's clock was set back, what was due stays due.
    ///
    /// A claim asks this each time, so it goes by what is remembered: to look whether others have committed would wake all workers
    /// of this process, and these claim. Only what seems to be a clock set back is worth a look.
    pub(super) fn heed_clock(&mut self, now: Timestamp) -> Result<(), Fault> {
        let set_back = |seen: &Timestamp| now.after(OUT_OF_ORDER) < *seen;
        let remembered = self.remembered()?;
        if remembered.is_none_or(|seen| !set_back(&seen)) {
            self.recall.heard = remembered.max(Some(now));
            return Ok(());
        }
        if let Some(seen) = self.seen()?.filter(set_back) {
            self.bring_forward(now, seen)?;
            self.recall.heard = Some(now);
            self.keep_seen(now)?;
        }
        Ok(())
    }

    /// The latest time at which a worker was heard of.
    pub(super) fn seen(&mut self) -> Result<Option<Timestamp>, Fault> {
        self.look()?;
        self.remembered()
    }

    /// The same, as far as this store knows without a look.
    fn remembered(&mut self) -> Result<Option<Timestamp>, Fault> {
        let kept = if let Some(kept) = self.recall.seen {
            kept
        } else {
            let kept: Option<i64> = self
                .connection
                .prepare_cached("SELECT max(seen) FROM clock")?
                .query_row([], |row| row.get(0))?;
            *self.recall.seen.insert(kept.map(Timestamp::from_millis))
        };
        Ok(kept.max(self.recall.heard))
    }

    fn keep_seen(&mut self, seen: Timestamp) -> Result<(), Fault> {
        let millis = seen.as_millis();
        if self.execute("UPDATE clock SET seen = ?1", params![millis])? == 0 {
            self.execute("INSERT INTO clock (seen) VALUES (?1)", params![millis])?;
        }
        self.recall.seen = Some(Some(seen));
        Ok(())
    }

    fn bring_forward(&mut self, now: Timestamp, seen: Timestamp) -> Result<(), Fault> {
        self.show_all_due(seen, now)?;
        for head in self.heads()? {
            self.execute(
                "UPDATE runs SET due_at = ?3 WHERE function = ?1 AND event_type = ?2 AND due_at > ?3 AND due_at <= ?4",
                params![head.function, head.event_type, now.as_millis(), seen.as_millis()],
            )?;
        }
        Ok(())
    }
}
