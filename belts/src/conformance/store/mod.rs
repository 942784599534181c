//! The conformance suite for stores: one case for each rule of the [`Store`](crate::store::Store) contract.
//!
//! Implement [`Storage`] for something that opens clients of one storage, pass a constructor of fresh ones to
//! [`store_conformance!`](crate::store_conformance), and each case becomes a separate test:
//!
//! ```
//! use belts::{conformance::store::Storage, store::{Memory, SharedStore}};
//! use std::sync::Arc;
//!
//! struct InMemory(Memory);
//!
//! #[async_trait::async_trait]
//! impl Storage for InMemory {
//!     async fn open(&self) -> belts::Result<SharedStore> {
//!         Ok(Arc::new(self.0.clone()))
//!     }
//! }
//!
//! mod memory {
//!     belts::store_conformance!(super::InMemory(belts::store::Memory::new()));
//! }
//! # fn main() {}
//! ```

use std::{future::Future, pin::Pin};

use crate::error::Result;

mod arrivals;
mod bench;
mod by_name;
mod claims;
mod closing;
mod collecting;
mod delays;
mod durability;
mod expiring;
mod expiring_at_once;
mod families;
mod flowing;
mod forgetting;
mod handled;
mod in_line;
mod inspection;
mod journals;
mod leases;
mod limits;
mod lines;
mod lines_apart;
mod lines_at_once;
mod listing;
mod looking;
mod looking_back;
mod meeting;
mod pausing;
mod pausing_at_once;
mod publishing;
mod purging;
mod races;
mod renewals;
mod reruns;
mod rewriting;
mod schedules;
mod sessions;
mod singles;
mod starting;
mod storage;
mod tags;
mod together;
mod transitions;
mod undoing;
mod undone;
mod waiting;
mod waits;
mod waking;

use bench::Bench;
pub use storage::Storage;

suite! { $ store, "store", Storage, store_conformance,
"Makes a `#[tokio::test]` of each rule, named for it. The argument makes a fresh [`Storage`](crate::conformance::store::Storage) and is evaluated in each test. An attribute before it is put on every test, such as `#[ignore = \"no server found\"]`." {
    durability {
        reopened_store_has_everything batch_is_atomic batch_refuses_stale_commits_one_by_one
    }
    publishing {
        publish_twice_is_one_event publish_twice_at_once_is_one_event publish_starts_one_run_per_function
        publish_claims_within_capacity publish_claims_only_what_is_due targeted_run_is_created_once
        targeted_event_needs_no_subscription excepted_functions_are_left_out event_without_functions_is_recorded
        delayed_event_waits other_event_under_one_id_is_a_conflict due_at_once_whatever_the_publishers_clock
    }
    sessions {
        subscriptions_of_live_sessions_are_combined subscriptions_outlive_their_session removed_function_gets_no_runs
        expired_session_stays_subscribed_for_a_day new_subscription_takes_effect_at_once_everywhere same_name_takes_over
        deregistered_worker_leaves_its_runs unknown_session_is_busy expired_session_keeps_unclaimed_runs
        unknown_session_publishes_without_claiming run_keeps_the_build_that_began_it
    }
    leases {
        claim_is_exclusive late_commit_is_refused late_commit_is_written_until_the_run_is_claimed_again tokens_are_unpredictable revoked_leases_are_reported
        crashes_without_a_record_are_counted release_keeps_the_listed_leases removed_run_cannot_be_written
    }
    renewals {
        clock_set_back_delays_nothing_due dead_worker_runs_are_claimed renewed_lease_holds late_renewal_shortens_no_lease clocks_may_differ
    }
    claims {
        claim_brings_the_journal claim_brings_the_run claim_respects_limits claim_reports_the_next_due_time
        claim_is_fair_between_functions claim_skips_unreadable_event_types claim_is_bounded_in_bytes
        claim_names_unknown_functions
    }
    by_name {
        claim_by_name claim_by_name_leaves_runs_of_live_sessions
    }
    journals {
        entry_is_replaced_by_seq entry_is_not_replaced_by_an_earlier_state values_come_back_as_written names_are_compared_byte_for_byte
        long_journal_comes_back_in_order big_values_come_back journals_are_isolated
    }
    transitions {
        suspended_run_is_due_at_its_time released_run_is_due_at_once retried_run_counts_its_failures
        completed_run_keeps_its_output failed_run_keeps_its_failure cancelled_run_keeps_its_cause
        stopped_run_is_claimed_by_name_only skipped_run_is_removed
    }
    races {
        concurrent_clients_share_the_work commit_and_claim_are_serialized purge_during_work_loses_nothing
    }
    inspection {
        run_record_tracks_the_run cancel_ends_the_lease cancel_leaves_finished_runs_alone rerun_keeps_recorded_steps
        rerun_from_drops_later_entries rerun_leaves_other_runs_alone notes_are_kept unknown_run_is_no_error
    }
    purging {
        purge_keeps_unfinished_runs purge_is_bounded purge_reports_whether_anything_is_left
    }
    forgetting {
        functions_are_listed forget_cancels_runs_and_removes_subscriptions session_of_a_forgotten_function_must_register_again
    }
    listing {
        list_filters_and_pages list_finds_what_is_due list_goes_by_the_time list_omits_values backlog_counts_what_is_due invalid_page_mark_is_an_error
    }
    looking {
        list_stops_after_some_looks ended_counts_the_last
    }
    tags {
        commit_adds_tags refused_commit_adds_no_tags list_finds_runs_by_their_tags list_finds_undone_runs_by_their_tags
        tags_stay_until_a_run_is_purged
    }
    undoing {
        undoable_entries_come_back failed_run_is_undone_first cancelled_run_is_undone_first run_without_undoables_ends_at_once
        what_was_decided_stands undone_run_ends_as_decided undoing_run_is_listed_as_such
    }
    handled {
        handled_cancel_is_told_first handled_cancel_is_no_failure handled_cancels_are_those_of_the_newest_session
        handled_cancel_comes_again_after_a_rerun skipped_run_is_no_handled_cancel handled_cancel_takes_no_events
    }
    undone {
        undoing_is_told_once_it_is_over
        undoing_run_is_not_cancelled_with_its_parent rerun_drops_what_was_undone rerun_keeps_what_can_be_undone forget_ends_what_nobody_can_undo
        ends_of_undoable_runs_meet_at_once
    }
    waits {
        wait_comes_back_with_places event_makes_every_run_due_that_waits wait_matches_type_and_key event_before_the_wait_is_found
        wait_begins_where_it_says wait_written_again_looks_further_on driven_run_hears_of_what_arrives
    }
    closing {
        settled_entry_waits_no_more end_of_a_run_closes_its_waits rerun_opens_what_still_waits rerun_awaits_its_types_again
    }
    arrivals {
        run_with_arrivals_is_due_at_once run_without_a_time_waits_for_arrivals pause_is_kept_whatever_arrives
        earliest_arrivals_come_first arrivals_are_bounded_in_bytes targeted_event_is_found_by_no_wait no_place_is_given_twice
    }
    delays {
        delayed_event_arrives_when_it_is_due clock_set_back_delays_no_arrival delayed_event_counts_from_its_time
        start_counts_from_no_later_than_the_run wait_finds_all_that_fell_due
    }
    looking_back {
        newly_awaited_type_finds_what_is_there awaited_types_are_known_to_all event_stays_while_a_run_could_look_back started_event_stays_for_others
        awaited_types_belong_to_sessions purge_passes_what_must_stay clock_ahead_keeps_no_purge_from_others
    }
    meeting {
        event_and_wait_meet_in_any_order event_and_wait_meet_at_once event_and_first_wait_of_its_type_meet
        each_event_is_found_once_in_order
    }
    starting {
        commit_starts_runs ending_commit_starts_runs refused_commit_starts_nothing run_is_started_once started_run_knows_its_parent
        rerun_from_a_step_is_counted
    }
    families {
        end_of_a_started_run_is_told end_of_other_runs_is_not_told end_and_wait_meet_in_any_order end_and_wait_meet_at_once
    }
    reruns {
        end_is_told_again_to_whoever_starts_it rerun_takes_back_what_was_told gone_run_is_told_as_gone
        run_that_is_gone_is_started_again rerun_opens_calls_again
    }
    together {
        failed_run_cancels_what_it_started what_is_not_attached_goes_on commit_cancels_runs
        closed_wait_hears_nothing_of_what_was_cancelled families_end_at_once
    }
    pausing {
        paused_function_is_not_claimed paused_function_gets_runs driven_run_goes_on_through_a_pause paused_function_is_not_waited_for
        functions_tell_of_a_pause runs_of_a_paused_function_change_as_ever pause_holds_at_once_everywhere pause_outlives_sessions
        resume_wakes_another_client pause_and_resume_are_idempotent forget_ends_the_pause
    }
    pausing_at_once {
        pauses_meet_claims_and_publishes
    }
    limits {
        limits_are_those_registered_last limits_hold_for_each_new_run limits_count_from_when_a_run_is_due limits_of_a_run_stay
        limits_of_a_far_delay_are_at_the_end_of_time
        claim_brings_nothing_whose_time_is_over rerun_gives_time_anew forget_ends_limits
    }
    expiring {
        expire_ends_what_has_not_started expire_ends_what_has_not_finished expire_ends_runs_in_every_state
        expire_ends_as_cancel_does expired_run_keeps_its_cause expire_is_bounded_and_tells_what_is_left
    }
    expiring_at_once {
        expire_meets_others_at_once
    }
    rewriting {
        events_come_in_parts value_is_substituted_where_it_is_expected end_of_an_undoing_run_is_substituted
        commit_and_substitute_meet
    }
    schedules {
        schedule_is_written_as_it_was_read ticks_start_with_the_change tick_of_a_known_run_starts_nothing schedule_written_again_counts
        due_schedules_come_in_order schedules_of_a_paused_function_wait schedules_are_listed_by_name one_of_many_changes_a_schedule
        tick_wakes_another_client forget_leaves_schedules
    }
    flowing {
        flow_is_applied_once_by_publish_or_by_route route_is_refused_with_its_lease idempotent_key_is_taken_from_its_first_publish_on
        rate_limit_skips_what_is_over skipped_run_is_on_record
        throttle_spreads_starts limits_of_flow_hold_at_once

    }
    singles {
        singleton_skips_while_one_is_live singleton_replaces_the_live_one singleton_queues_until_the_end
        end_of_time_lets_the_next_of_a_singleton_go_on line_of_a_singleton_goes_on_at_once
    }
    collecting {
        debounce_keeps_the_last_event debounce_ends_at_its_maximum nothing_is_folded_into_a_run_that_began
        debounce_keeps_the_last_also_when_they_cross batch_collects_in_order_up_to_its_size batch_is_in_the_order_of_publishing
        events_of_a_batch_stay_with_its_run held_run_takes_its_turn delayed_events_are_collected_at_their_time
        events_are_collected_at_once debounced_events_meet_at_once
    }
    lines {
        limit_of_a_key_is_kept run_at_rest_holds_no_place place_is_free_with_the_end_of_its_lease keys_take_turns full_key_stops_nobody
        limits_are_those_of_the_claim routed_run_stands_in_line priority_moves_a_run_once_it_is_due
    }
    in_line {
        record_tells_which_limit_is_full free_place_wakes_another_client claim_by_name_takes_a_place run_in_line_changes_as_ever
        run_in_line_ends_once
    }
    lines_apart {
        places_of_two_limits_are_taken_together shared_pool_counts_over_functions
        place_is_for_whoever_can_read rerun_of_a_skipped_run_takes_a_place pool_has_the_limit_of_each_function
        lanes_are_told_apart_whatever_their_keys
    }
    lines_at_once {
        limits_of_runs_hold_at_once
    }
    waking {
        publish_wakes_another_client release_wakes_another_client wake_up_is_kept_for_the_next_wait
    }
}}
