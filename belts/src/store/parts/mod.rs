//! What every store needs, including one of your own: ids, tokens, limits, and the rules of the
//! [contract](super::Store#contract) that are easy to get wrong.

use std::time::Duration;

use super::Timestamp;

mod budget;
mod crashes;
mod deadlines;
mod ended;
pub(super) mod flow;
pub(super) mod lanes;
mod sight;
mod wake;
mod wants;

pub use crate::id::new_id;
pub use budget::Budget;
pub use crashes::{Crashes, progress};
pub(crate) use deadlines::in_words;
pub use deadlines::{Deadlines, limits_since};
pub use ended::ended;
pub(super) use ended::ended_as;
pub(super) use sight::{Sight, long_before, order_by_sight, shown_by};
pub use wake::Wake;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use wants::add_row;
pub use wants::{MergedSubscriptions, SessionSubscriptions, merge_subscriptions};

/// The most functions that a claim names as unknown.
pub const MAX_UNKNOWN_FUNCTIONS: usize = 8;

/// The most bytes of events that [`Store::arrived`](crate::store::Store::arrived) brings, beside the first for each wait.
pub const MAX_ARRIVED_BYTES: usize = 4 * 1024 * 1024;

/// How long after the end of its lease a session's subscriptions still count, and how long a publisher goes by the clock of a worker
/// that was heard of last.
pub const SESSION_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How many leases late a renewal may come; what lies further back is from a clock that was set back.
const LATEST_RENEWAL: u32 = 10;

/// Whether a renewal that says `now` was overtaken by the one that moved the end of a `lease` to `lease_until`, as happens to a
/// request that a broken connection held back. To go by it would shorten the lease of a worker that relies on the later one.
///
/// A clock that was set back looks the same, so whatever is ten leases old, or older, counts.
///
/// ```
/// use std::time::Duration;
/// use belts::{Timestamp, store::parts::is_late_renewal};
/// let lease = Duration::from_secs(30);
/// let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
/// // The last renewal said 1000.
/// assert!(is_late_renewal(at(995), at(1_030), lease));
/// assert!(!is_late_renewal(at(1_010), at(1_030), lease));
/// assert!(!is_late_renewal(at(700), at(1_030), lease), "the clock was set back");
/// ```
pub fn is_late_renewal(now: Timestamp, lease_until: Timestamp, lease: Duration) -> bool {
    let last = lease_until.before(lease);
    now < last && last.since(now) < lease.saturating_mul(LATEST_RENEWAL)
}

/// The bits of a token that cannot be foreseen. With a counter of 24 bits above them a token stays exact as a double, which
/// Redis has for numbers.
const CHANCE: u32 = 29;

/// The token of the next claim of a run: greater than the last one, by an amount that nobody can foresee. A new run's is 0.
///
/// ```
/// use belts::store::parts::next_token;
/// let first = next_token(0);
/// assert!(next_token(first) > first);
/// ```
pub fn next_token(last: i64) -> i64 {
    let chance = i64::from(fastrand::u32(..1 << CHANCE));
    (((last >> CHANCE) + 1) << CHANCE) | chance
}

/// When a run is due whose event asks for `due_at`, by the clock of the workers where it is due at once: `now` is the publisher's
/// clock, and `seen` the latest time at which a worker was heard of.
///
/// ```
/// use belts::{Timestamp, store::parts::due_by};
/// let [workers, publisher, later] = [1_000, 9_000, 20_000].map(Timestamp::from_millis);
/// assert_eq!(due_by(publisher, publisher, Some(workers)), workers);
/// assert_eq!(due_by(later, publisher, Some(workers)), later);
/// ```
pub fn due_by(due_at: Timestamp, now: Timestamp, seen: Option<Timestamp>) -> Timestamp {
    match seen {
        Some(seen) if due_at <= now && due_at > seen && now.since(seen) <= SESSION_RETENTION => {
            seen
        }
        _ => due_at,
    }
}
