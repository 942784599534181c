//! Where runs and their journals live: the [`Store`] trait, its contract and its vocabulary.
//!
//! A store is a small database of runs. It decides nothing about functions: it keeps what the worker tells it to keep,
//! hands due runs to one worker at a time, and refuses writes of a worker whose lease has ended.
#![cfg_attr(feature = "sqlite", doc = "")]
#![cfg_attr(feature = "sqlite", doc = include_str!("../../docs/stores.md"))]

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use crate::clock::Timestamp;
use crate::error::{Error, Result};

mod ending;
mod error;
pub(crate) mod finish;
mod memory;
pub mod parts;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod url;

pub use ending::Ending;
pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresBuilder};
pub use records::*;
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisBuilder};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteBuilder, Synchronous};

/// Keeps runs, journals, events and subscriptions.
///
/// # Contract
/// Each rule is followed by the cases of the conformance suite that test it, and each case is named at its rule.
///
/// Durability:
/// - When a method has returned `Ok`, what it wrote survives the end of the process, if
///   [`Capabilities::durable`] says so. (`reopened_store_has_everything`)
/// - A batch is written whole or not at all. (`batch_is_atomic`)
/// - Commits of a batch are refused one by one, in their order: one that ends the lease of its run ends it for those behind it.
///   (`batch_refuses_stale_commits_one_by_one`)
/// - Clients that work at the same moment lose nothing to each other. (`concurrent_clients_share_the_work`)
///
/// Publishing:
/// - An event whose id is already there writes nothing and answers `duplicate` with the runs that it has. (`publish_twice_is_one_event`)
/// - The same holds for publishers that send it at the same moment. (`publish_twice_at_once_is_one_event`)
/// - An event that started nothing is known as well: whoever subscribes later does not get it. (`event_without_functions_is_recorded`)
/// - An event that targets a run id which is already there writes nothing either; the answer names the event and function of
///   that run. (`targeted_run_is_created_once`)
/// - If what is there under its id is another event, of another [digest](EventDigest), nothing is written and the answer is
///   `conflict`. (`other_event_under_one_id_is_a_conflict`)
/// - An event starts one run for each function that subscribes to its type at that moment, in the same write.
///   (`publish_starts_one_run_per_function`)
/// - An event that targets a function starts a run of that one alone, whether it subscribes or not.
///   (`targeted_event_needs_no_subscription`)
/// - The functions that the publisher excepts get no run. (`excepted_functions_are_left_out`)
/// - A delayed event has its runs at once; they are due at its time. (`delayed_event_waits`)
/// - What an event is due for at once does not depend on the publisher's clock: its runs are due by the clock of the workers, as
///   far as they were heard of within a day. (`due_at_once_whatever_the_publishers_clock`)
/// - A run that is due now, of a function with free capacity in [`Publish::claim`], is leased to that worker in the same write,
///   if its session lives. (`publish_claims_within_capacity`)
/// - No run is leased before it is due, or to a session whose lease time has ended. (`publish_claims_only_what_is_due`)
/// - A session that is unknown or has ended can still publish, but is leased nothing.
///   (`unknown_session_publishes_without_claiming`)
///
/// Subscriptions:
/// - They belong to sessions. A function is subscribed to the event types that any session registered for it, until that
///   session ends: it is deregistered, or another takes its name. (`subscriptions_of_live_sessions_are_combined`)
/// - A session's subscriptions remain after it ends, so that events published while no worker is registered start runs for those
///   that come back. (`subscriptions_outlive_their_session`)
/// - A change takes effect at once, for every client of the store. (`new_subscription_takes_effect_at_once_everywhere`)
/// - The subscriptions of an ended session are dropped when a live session shares a function with it: it is a newer instance of
///   the same program. So a function that a new version does not have gets no runs once the last session of the old version has
///   ended.
///   (`removed_function_gets_no_runs`)
/// - A session that was not renewed in time, or whose process has died, stays subscribed for a day: it may be about to come back,
///   and events that only it subscribes to must not be lost. Then it has ended. (`expired_session_stays_subscribed_for_a_day`)
///
/// Leases:
/// - At most one worker holds the lease of a run; each claim of a run has a greater token than all before. (`claim_is_exclusive`)
/// - Tokens are unpredictable, so that a store which lost its last writes never issues the same lease twice.
///   (`tokens_are_unpredictable`)
/// - A claim returns the whole journal of each run, in the order of `seq`. (`claim_brings_the_journal`)
/// - It brings what the run was started with: the event, its retries and its `traceparent`; when it first started, and how many
///   attempts have failed. (`claim_brings_the_run`)
/// - A claim takes runs that are due, the longest due first, only of the functions named, within their limits. (`claim_respects_limits`)
/// - If more is due than it may take, the functions take turns, so that a backlog of one delays no other.
///   (`claim_is_fair_between_functions`)
/// - It takes only runs whose event type the worker can read; the others are skipped, and named. (`claim_skips_unreadable_event_types`)
/// - It names functions with due runs that were not asked for. (`claim_names_unknown_functions`)
/// - It says when the next run of the functions asked for is due. (`claim_reports_the_next_due_time`)
/// - A claim of one run by its name takes it whether it is due or not, unless it has finished. (`claim_by_name`)
/// - It takes no run that a live session drives, its own included. (`claim_by_name_leaves_runs_of_live_sessions`)
/// - It brings no more than `max_bytes` of events and journals, but for a single run. (`claim_is_bounded_in_bytes`)
/// - A run that cannot be read stops nobody: it is set aside and named. If the reason may be a newer version, such as an
///   unknown kind of step, it is put off for a minute, for others to claim; else it fails, and can be rerun. Either way its
///   record tells the error, made with [`Error::unreadable`](crate::Error::unreadable). (no case: nothing that this trait writes is unreadable, so each store has tests of its own)
/// - A commit whose lease is not the run's present one writes nothing and answers [`CommitOutcome::LeaseLost`].
///   (`late_commit_is_refused`)
/// - So is one for a run that was removed, even if another run has its number. (`removed_run_cannot_be_written`)
/// - A lease whose time has ended stays valid until another session claims the run. (`late_commit_is_written_until_the_run_is_claimed_again`)
/// - When a worker's lease time has ended, or the store knows that its process is dead, its runs are due at once. (`dead_worker_runs_are_claimed`)
/// - A commit and a claim at the same time are serialized: the claim returns what the commit wrote, or the commit is refused. (`commit_and_claim_are_serialized`)
/// - `renew` moves the end of the worker's lease for all its runs. (`renewed_lease_holds`)
/// - A `renew` that a later one has overtaken shortens no lease: its `now` lies less than ten leases before the last one's. One
///   that lies further back is from a clock that was set back, and counts. (`late_renewal_shortens_no_lease`)
/// - A session whose lease time has ended is live again after its next `renew` or `claim`, and keeps the runs that nobody else
///   has claimed.
///   (`expired_session_keeps_unclaimed_runs`)
/// - `revoked` reports which leases are no longer valid, whatever ended them. (`revoked_leases_are_reported`)
/// - When a session ends without having given its runs back, that counts as a crash of each of them, from one again if something
///   of the run was recorded since the last. A claim tells how many there were in a row. (`crashes_without_a_record_are_counted`)
/// - Clients need not agree on the time: the token decides who holds a lease. (`clocks_may_differ`)
/// - When the clock is set back, what was due stays due. (`clock_set_back_delays_nothing_due`)
/// - `renew` and `claim` of a session that was deregistered or taken over are an error of kind
///   [`Busy`](crate::ErrorKind::Busy); the worker must register again. So they may be for one whose process the store has taken for
///   dead: then the worker knows that its runs are gone. (`unknown_session_is_busy`)
/// - A worker registered under the name of an earlier one takes that one's runs over at once. (`same_name_takes_over`)
/// - A worker that is deregistered leaves its runs due at once, and to do it twice is no error.
///   (`deregistered_worker_leaves_its_runs`)
/// - `release` makes the runs of a session due at once, except those of the leases listed in `keep`. (`release_keeps_the_listed_leases`)
///
/// Journals:
/// - A commit writes each entry under its `seq`, replacing the one that is there; there may be gaps. (`entry_is_replaced_by_seq`)
/// - But no entry is replaced by an earlier state: a finished one by one that waits, or one by another with fewer attempts. So a
///   duplicate write that arrives late undoes nothing. (`entry_is_not_replaced_by_an_earlier_state`)
/// - Paths, type names and values come back byte for byte. (`values_come_back_as_written`)
/// - Names are compared byte for byte: paths, types, and the ids of runs, events and functions.
///   (`names_are_compared_byte_for_byte`)
/// - A value of 1 MiB and a path of 10,000 bytes are nothing special. (`big_values_come_back`)
/// - Neither is a journal of 10,000 entries. (`long_journal_comes_back_in_order`)
/// - No run sees another run's entries. (`journals_are_isolated`)
///
/// Transitions, each in the write of its commit:
/// - A suspended run gives its lease up and is due at its time. (`suspended_run_is_due_at_its_time`)
/// - One that is suspended until now is due at once, for every worker. (`released_run_is_due_at_once`)
/// - A run that is retried keeps the count of its failed attempts and the last failure. (`retried_run_counts_its_failures`)
/// - A completed run keeps its output. (`completed_run_keeps_its_output`)
/// - A failed run keeps its failure. (`failed_run_keeps_its_failure`)
/// - A cancelled run keeps what cancelled it, until it is rerun. (`cancelled_run_keeps_its_cause`)
/// - A stopped run has not finished, and only a claim by name takes it. (`stopped_run_is_claimed_by_name_only`)
/// - A skipped run is removed with its journal; its event is known until it is purged. (`skipped_run_is_removed`)
///
/// Waits, where [`Capabilities::waits`] says that the store keeps them:
/// - The journal brings what an entry waits for, with a place for each type behind which it is looked for: of whatever the worker
///   asked for the store makes places when it records the wait. (`wait_comes_back_with_places`)
/// - An event makes every suspended run due, in the write that publishes it, that has an open wait for its type and key; each of
///   their claims brings the event. (`event_makes_every_run_due_that_waits`)
/// - Types and keys are compared byte for byte. A wait without a key is for events without one, and one for several types for an
///   event of any of them. (`wait_matches_type_and_key`)
/// - An event that came before the wait is found, if it was published after the one that started the run. That one never is.
///   (`event_before_the_wait_is_found`)
/// - Or if it came after what else the wait says: the moment when it was recorded, a time, or a place. (`wait_begins_where_it_says`)
/// - A waiting entry that is written again looks behind its new places, of each type its own, and never before those where it was.
///   (`wait_written_again_looks_further_on`)
/// - An entry that was completed or has failed waits no more, and keeps what it waited for. (`settled_entry_waits_no_more`)
/// - The end of a run closes its waits. (`end_of_a_run_closes_its_waits`)
/// - `rerun` opens those again whose entries still wait. (`rerun_opens_what_still_waits`)
/// - Their types are awaited from then on, if nobody awaited them any more. (`rerun_awaits_its_types_again`)
/// - A run that is driven keeps its lease when something arrives for it: its worker is woken, and `arrived` tells what it is.
///   (`driven_run_hears_of_what_arrives`)
/// - A run that is suspended though something has arrived for it is due at once. (`run_with_arrivals_is_due_at_once`)
/// - One that is suspended without a time is not due before something arrives. (`run_without_a_time_waits_for_arrivals`)
/// - But a run that is retried, or was put off, is due at its time whatever arrives. (`pause_is_kept_whatever_arrives`)
/// - Arrivals come in the order of `seq` and of places, for each wait the earliest and no more than [`Arrival::MOST`].
///   (`earliest_arrivals_come_first`)
/// - They count among the bytes of a claim, but for the first of each wait of a run that comes alone.
///   (`arrivals_are_bounded_in_bytes`)
/// - A delayed event arrives when it is due: the next claim of any worker makes it so, and each claim before says when that will be.
///   (`delayed_event_arrives_when_it_is_due`)
/// - What had fallen due when the clock was set back arrives all the same. (`clock_set_back_delays_no_arrival`)
/// - In the order of events it counts from then, also as the one that started a run. (`delayed_event_counts_from_its_time`)
/// - What started a run counts from no later than when the run began, whatever its publisher's clock says.
///   (`start_counts_from_no_later_than_the_run`)
/// - All that fell due before a wait is recorded has its place by then, however much it is. (`wait_finds_all_that_fell_due`)
/// - An event that targets a function is found by no wait. (`targeted_event_is_found_by_no_wait`)
/// - No place is given twice, and later events have greater ones, whatever is purged. (`no_place_is_given_twice`)
/// - From when on a type is awaited, by a session or a wait, events that are there are found as well, if a run that has not
///   finished could look back to them. (`newly_awaited_type_finds_what_is_there`)
/// - `awaited` names the types that anybody has registered, also once the session has ended. (`awaited_types_are_known_to_all`)
/// - An event stays as long as a run that has not finished, of a function that awaits its type, could look back to it.
///   (`event_stays_while_a_run_could_look_back`)
/// - So does one that started runs, when these are purged. (`started_event_stays_for_others`)
/// - What functions await belongs to sessions as subscriptions do, and stands as long as runs go on that may rely on it.
///   (`awaited_types_belong_to_sessions`)
/// - Events that must stay keep no purge from others. (`purge_passes_what_must_stay`)
/// - Nor do those of a publisher whose clock is ahead. (`clock_ahead_keeps_no_purge_from_others`)
/// - An event and the wait for it meet, whichever comes first. (`event_and_wait_meet_in_any_order`)
/// - They do when both are written at the same moment, by different clients. (`event_and_wait_meet_at_once`)
/// - They do when nobody has waited for such an event before. (`event_and_first_wait_of_its_type_meet`)
/// - A run that takes event after event sees each once, in the order of publishing, however many publish.
///   (`each_event_is_found_once_in_order`)
///
/// Runs that start others, where the store keeps waits:
/// - A commit starts the runs that it names, in the same write, each with the one that commits as its parent.
///   (`commit_starts_runs`)
/// - So does the commit that ends the run, and what it starts goes on, unless it is attached and the run has failed or was
///   cancelled. (`ending_commit_starts_runs`)
/// - A commit that is refused, or skips its run, starts and cancels nothing. (`refused_commit_starts_nothing`)
/// - A run whose id is there is not started again: it goes on as it is. (`run_is_started_once`)
/// - Claims and records name the parent, and `list` finds the runs that a run has started. (`started_run_knows_its_parent`)
/// - The end of a run that has a parent is told in the same write, whatever ends it: by an event of the type [`ENDED`], which waits find
///   as any other. (`end_of_a_started_run_is_told`)
/// - The wait and the end meet, whichever comes first, also at the same moment. (`end_and_wait_meet_in_any_order`,
///   `end_and_wait_meet_at_once`)
/// - A run that has no parent tells nobody. (`end_of_other_runs_is_not_told`)
/// - If a commit starts or watches a run that has finished, the end of that run is told again.
///   (`end_is_told_again_to_whoever_starts_it`)
/// - If a watched run does not exist and no end of it is on record, it is told as `gone`. (`gone_run_is_told_as_gone`)
/// - A start of a run that is gone, skipped or purged, starts it anew, and takes back what was told of it.
///   (`run_that_is_gone_is_started_again`)
/// - `rerun` takes back what was told of the end. (`rerun_takes_back_what_was_told`)
/// - Entries that a rerun [opens again](Rerun::reopen) are kept, and wait from where they did before. (`rerun_opens_calls_again`)
/// - The end of a run as failed or cancelled, whatever ends it, cancels in the same write those that it has started, are attached, and
///   have not finished; and so on downwards. (`failed_run_cancels_what_it_started`)
/// - Those that are not attached go on, and so do all if the run completes. (`what_is_not_attached_goes_on`)
/// - A commit cancels the unfinished runs that it names, if the committing run is their parent. If it also closes the wait for one of
///   them, that end does not make it due. (`commit_cancels_runs`, `closed_wait_hears_nothing_of_what_was_cancelled`)
/// - A claim tells how many times a run was rerun from a step. (`rerun_from_a_step_is_counted`)
/// - Runs and those that they have started end at the same moment, from all sides, and nothing is lost. (`families_end_at_once`)
///
/// Waking:
/// - A publish wakes the other clients that wait. (`publish_wakes_another_client`)
/// - So does a run that is released. (`release_wakes_another_client`)
/// - A wake-up that comes while nobody waits is kept for the next wait. (`wake_up_is_kept_for_the_next_wait`)
///
/// Pausing:
/// - While a function is paused no claim brings runs of it, whether by name or not, and no publish leases one. Those of other
///   functions come as ever. (`paused_function_is_not_claimed`)
/// - Events still start its runs, which wait. (`paused_function_gets_runs`)
/// - What is driven when it is paused goes on until it is suspended or ends. (`driven_run_goes_on_through_a_pause`)
/// - `backlog` counts nothing of it, and a claim says neither when its next run is due nor that nobody has it.
///   (`paused_function_is_not_waited_for`)
/// - `functions` lists it, even if nobody wants it and it has no runs, says since when it is paused, and counts its runs as ever.
///   (`functions_tell_of_a_pause`)
/// - Its runs hear of what arrives, and are cancelled, rerun and purged as ever. (`runs_of_a_paused_function_change_as_ever`)
/// - A pause and its end hold at once for every client of the store. (`pause_holds_at_once_everywhere`)
/// - A pause outlives sessions and registrations, and may come before them. (`pause_outlives_sessions`)
/// - `resume` makes what is due claimable at once, and wakes the other clients that wait. (`resume_wakes_another_client`)
/// - Both say whether they changed anything. A function that is paused again is paused since the first time.
///   (`pause_and_resume_are_idempotent`)
/// - `forget` ends the pause. (`forget_ends_the_pause`)
/// - Pauses, claims, publishes and resumes meet at the same moment: what begins after `pause` has returned leases nothing, and no run
///   is lost. (`pauses_meet_claims_and_publishes`)
///
/// Limits of time:
/// - The runs of a function have the time that the session says which registered last of those that have it; it counts after that
///   session has ended too. (`limits_are_those_registered_last`)
/// - They hold for each run that an event starts, of a subscribed function or of one that it targets, whoever publishes it; so they
///   do for one that a commit starts. (`limits_hold_for_each_new_run`)
/// - They count from the publish, by the clock of the workers, or from the time of a delayed event. (`limits_count_from_when_a_run_is_due`)
/// - The record of a run shows when its time is over. What is registered later changes only new runs.
///   (`limits_of_a_run_stay`)
/// - `expire` ends the runs that no claim has brought by `start_by`, and those that have not ended by `finish_by`.
///   (`expire_ends_what_has_not_started`, `expire_ends_what_has_not_finished`)
/// - Whatever a run does: it is due, sleeps, waits, is retried, stopped, driven, or of a paused function. (`expire_ends_runs_in_every_state`)
/// - It ends them as `cancel` does: the lease and the waits end, who drives it is woken, the parent is told, and those that are
///   attached end too. (`expire_ends_as_cancel_does`)
/// - The result is a failure of kind [`Cancelled`](crate::ErrorKind::Cancelled) that says which time was over. (`expired_run_keeps_its_cause`)
/// - A call ends no more than `most`, the longest over first, and says which, when the next one is over, and whether that is now.
///   (`expire_is_bounded_and_tells_what_is_left`)
/// - A claim, by name or not, brings no run whose time is over. (`claim_brings_nothing_whose_time_is_over`)
/// - `rerun` gives a run its time anew. (`rerun_gives_time_anew`)
/// - `forget` ends the limits of the function. (`forget_ends_limits`)
/// - Expiring meets the first claim, the commit that ends a run, publishes, and another that expires, at the same moment: each run
///   ends once, one way. (`expire_meets_others_at_once`)
///
/// Inspection:
/// - The record of a run shows its status, when it is due, and when it was created, first started and finished.
///   (`run_record_tracks_the_run`)
/// - Reading or changing a run that does not exist is no error. (`unknown_run_is_no_error`)
/// - `cancel` ends a run that has not finished, and its lease with it, and wakes who may drive it. (`cancel_ends_the_lease`)
/// - A run that has finished is not cancelled. (`cancel_leaves_finished_runs_alone`)
/// - `rerun` makes a failed or cancelled run due again and drops its failed entries, keeping the others: the journal may have
///   gaps in `seq` then. Failed attempts count from 0 again, and `started_at` stays. (`rerun_keeps_recorded_steps`)
/// - It leaves runs of any other status alone. (`rerun_leaves_other_runs_alone`)
/// - With [`Rerun::from`] it drops the entries from that `seq` on too, whatever they are. (`rerun_from_drops_later_entries`)
/// - `backlog` counts what a claim could bring now, however often one function is asked for. (`backlog_counts_what_is_due`)
/// - `list` brings the runs that pass every part of the filter, newest first; its pages together bring each run once, whatever
///   is published meanwhile. (`list_filters_and_pages`)
/// - A page mark that no page returned is an error of kind [`Config`](crate::ErrorKind::Config). (`invalid_page_mark_is_an_error`)
/// - `list` goes by the time at which a run ended, or its event was published if it goes on. (`list_goes_by_the_time`)
/// - `list` returns no events and no outputs, and failures of at most 16 KiB. (`list_omits_values`)
/// - `purge` removes only runs that finished before the given time, their journals, and events that no run needs, whatever
///   is written meanwhile. (`purge_keeps_unfinished_runs`, `purge_during_work_loses_nothing`)
/// - It removes no more than `limit` at a time, the longest finished first. (`purge_is_bounded`)
/// - It removes events that started nothing as fast as runs, and says whether anything is left. (`purge_reports_whether_anything_is_left`)
/// - `functions` lists every function that is subscribed to something or has unfinished runs. (`functions_are_listed`)
/// - `forget` cancels the runs of a function that no live session has, and removes its subscriptions.
///   (`forget_cancels_runs_and_removes_subscriptions`)
/// - It ends expired sessions that have the function. One that comes back has to register again, and so subscribes again.
///   (`session_of_a_forgotten_function_must_register_again`)
/// - `note` keeps the last fifty operator actions on a run. (`notes_are_kept`)
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What this store can promise.
    fn capabilities(&self) -> Capabilities;

    /// Begins a worker's session, with what it wants to be started for.
    ///
    /// If another live session has the same name, it ends, and its runs are due.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn register(&self, request: Register) -> Result<WorkerId>;

    /// Ends a session: its runs are due at once, and its name is free.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()>;

    /// Makes events durable and starts the runs of every subscribed function, in one write.
    ///
    /// The answers stand in the order of the events.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; publishing the same event ids again is safe. Runs that may have been
    /// leased all the same come back by [`release`](Self::release).
    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>>;

    /// Leases due runs to a worker and returns them with their whole journals.
    ///
    /// # Errors
    /// The store cannot be reached or written. Leases that may have been given all the same come back by
    /// [`release`](Self::release). The kind is [`Busy`](crate::ErrorKind::Busy) where the session is not known, or no more: see
    /// [`Error::unknown_session`](crate::Error::unknown_session).
    async fn claim(&self, request: Claim) -> Result<Claimed>;

    /// Writes journal entries and transitions, each commit only if its lease still holds.
    ///
    /// The answers stand in the order of the commits.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; the worker then drops the runs and claims them anew.
    /// The kind is [`TooLarge`](crate::ErrorKind::TooLarge), made with [`Error::too_large`](crate::Error::too_large), where what is
    /// to be written can never be, so that another try does not help; what was written together with it by others is not to suffer.
    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>>;

    /// Extends the lease of a worker for all runs that it drives.
    ///
    /// # Errors
    /// The store cannot be reached or written; the lease ends when it would have.
    /// The kind is [`Busy`](crate::ErrorKind::Busy) where the session is not known, or no more: see
    /// [`Error::unknown_session`](crate::Error::unknown_session).
    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()>;

    /// Which of these leases stand no longer: the run was cancelled, ended, or was taken by another.
    ///
    /// A worker asks for this now and then, so that it stops driving what is no longer its own.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>>;

    /// What has arrived for the open waits of these runs, as far as their leases hold: by `seq`, then by place, of each wait the
    /// earliest that a claim would bring. Runs for which nothing has arrived are left out.
    ///
    /// A worker asks for this when it was [woken](Self::woken) while it drives runs that wait. A store that keeps no waits has no
    /// more to say than this default.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        let _ = leases;
        Ok(Vec::new())
    }

    /// Gives back every run that a session holds, but for the leases that it keeps; how many.
    ///
    /// A worker asks for this when a `publish` or a `claim` failed: the store may have leased runs of which it never heard.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn release(&self, request: Release) -> Result<usize>;

    /// Returns when another process or worker may have made a run due; it may return without cause.
    ///
    /// A wake-up that comes while nobody waits is kept for the next who does. Where several workers share one store,
    /// a worker that polls this once before it claims, and goes on with the same future after, misses none.
    async fn woken(&self);

    /// The functions that anyone has subscribed, sorted by id.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn subscriptions(&self) -> Result<Vec<Subscription>>;

    /// The event types for which runs may wait, sorted, each once: an event of such a type is published although it starts no run.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        Ok(Vec::new())
    }

    /// One run, or `None` if there is none of that id.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn run(&self, run: &str) -> Result<Option<RunRecord>>;

    /// The journal of a run in the order of `seq`; empty if there is no such run.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn journal(&self, run: &str) -> Result<Vec<Entry>>;

    /// Runs that pass the filter, newest first, a page at a time.
    ///
    /// # Errors
    /// The store cannot be reached, or the mark is one that no page gave: see [`Error::wrong_page_mark`](crate::Error::wrong_page_mark).
    async fn list(&self, filter: RunFilter) -> Result<RunPage>;

    /// How many runs of each of these functions are due and wait for a worker, in their order; no more than `most` are counted
    /// of each.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>>;

    /// Cancels a run that has not finished; whether there was one.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool>;

    /// Ends at most `most` runs whose time is over, each as [`cancel`](Self::cancel) does, with a result that says why.
    ///
    /// A worker asks for this now and then, and when the next is over. Where no run has limits it costs next to nothing.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired>;

    /// Makes a failed or cancelled run due again, with its failed entries dropped, and those from [`Rerun::from`] on; whether
    /// there was such a run.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn rerun(&self, request: Rerun) -> Result<bool>;

    /// Removes at most `limit` runs that finished before `before`, and at most as many events that started nothing.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged>;

    /// Every function that somebody wants, that has runs which have not finished, or that is paused, sorted by id; of each no more
    /// than `most` runs are counted.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>>;

    /// Pauses a function, which nobody need know: its runs are not claimed until it is [resumed](Self::resume). Whether it was not
    /// paused before.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool>;

    /// Ends the pause of a function; whether there was one.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn resume(&self, function: &str, now: Timestamp) -> Result<bool>;

    /// Cancels at most `limit` unfinished runs of a function that no living session has, drops what ended sessions wanted for it,
    /// and ends its pause.
    ///
    /// # Errors
    /// The kind is [`Conflict`](crate::ErrorKind::Conflict), made with [`Error::function_in_use`](crate::Error::function_in_use), where a
    /// living session has the function. And the store cannot be reached or written.
    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged>;

    /// Keeps what somebody did to a run with it; whether there is such a run.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn note(&self, run: &str, note: Note) -> Result<bool>;
}

impl RunFilter {
    /// The number of the run at which the last page ended, where that is how pages are marked.
    fn mark(&self) -> Result<Option<i64>> {
        let mark = self.after.as_ref().map(|mark| mark.parse());
        mark.transpose().map_err(Error::wrong_page_mark)
    }
}

/// A shared store of any kind.
pub type SharedStore = Arc<dyn Store>;
