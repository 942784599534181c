//! Which settings of a drive are recorded, by what was recorded before.

use super::*;

/// A journal whose entries beside the status have these `seq`s, and whose status is this.
fn journal(seqs: &[u32], status: Option<&Entry>) -> Vec<Entry> {
    let step = |seq: &u32| {
        let (kind, state) = (StepKind::Step, StepState::Completed);
        Entry::new(*seq, "step", kind, state, Timestamp::from_millis(0))
    };
    let mut entries: Vec<_> = seqs.iter().map(step).collect();
    entries.extend(status.cloned());
    entries.sort_by_key(|entry| entry.seq);
    entries
}

fn setting(place: &str, value: u32) -> Setting {
    Setting {
        place: (place != "*").then(|| Arc::from(place)),
        value: codec::to_raw(&value).expect("a number"),
        type_name: "u32",
        now: Timestamp::from_millis(0),
    }
}

/// A drive of a run whose status is kept here, with these other records.
struct Driven<'a> {
    statuses: Statuses,
    kept: &'a mut Option<Entry>,
    before: Before,
}

impl<'a> Driven<'a> {
    fn new(kept: &'a mut Option<Entry>, seqs: &[u32]) -> Self {
        let journal = journal(seqs, kept.as_ref());
        Self {
            statuses: Statuses::of(&journal),
            before: Before::all(&journal),
            kept,
        }
    }

    fn sets(&mut self, setting: &Setting, is_decided: bool) -> SettingVerdict {
        let turns = is_decided.then_some(Statuses::TURNS);
        let verdict = self.statuses.takes(setting, turns);
        if verdict == SettingVerdict::New {
            let entry = self.statuses.entry(setting, self.before, || 90);
            *self.kept = Some(entry.expect("numbers"));
        }
        verdict
    }
}

/// What a drive records of these settings, each with where it is: in a step for `*`. No branch sets any of them.
fn driven(kept: &mut Option<Entry>, seqs: &[u32], settings: &[(&str, u32)]) -> Vec<u32> {
    let mut drive = Driven::new(kept, seqs);
    let mut recorded = Vec::new();
    for (place, value) in settings {
        if drive.sets(&setting(place, *value), true) == SettingVerdict::New {
            recorded.push(*value);
        }
    }
    recorded
}

#[test]
fn a_replay_repeats_no_setting() {
    let mut kept = None;
    let all = [("", 1), ("", 2), ("*", 3), ("*", 4), ("", 5), ("", 5)];
    for upto in 1..=all.len() {
        let mut before = None;
        driven(&mut before, &[0], &all[..upto]);
        // Recorded steps are not evaluated again.
        let again: Vec<_> = all[..upto]
            .iter()
            .filter(|(place, _)| *place != "*")
            .copied()
            .collect();
        assert!(driven(&mut before, &[0], &again).is_empty(), "{upto}");
    }
    assert_eq!(driven(&mut kept, &[0], &all), [1, 2, 3, 4, 5]);
    let again = [("", 1), ("", 2), ("", 5), ("", 6)];
    assert_eq!(driven(&mut kept, &[0], &again), [6]);
}

#[test]
fn a_step_that_is_evaluated_again_means_what_it_sets() {
    let mut kept = None;
    driven(&mut kept, &[], &[("", 1), ("*", 10), ("*", 50)]);
    let again = [("", 1), ("*", 10), ("*", 60), ("", 2)];
    assert_eq!(driven(&mut kept, &[], &again), [10, 60, 2]);
}

#[test]
fn what_is_set_again_after_others_is_set_again() {
    let mut kept = None;
    let rounds = [("", 1), ("", 2), ("", 1), ("", 2)];
    assert_eq!(driven(&mut kept, &[], &rounds), [1, 2, 1, 2]);
    let again = [("", 1), ("", 2), ("", 1), ("", 2), ("", 1)];
    assert_eq!(driven(&mut kept, &[], &again), [1]);
}

/// The first of them was taken for the last, and written over it.
#[test]
fn branches_may_come_in_another_order() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1), ("", 2), ("", 3)]);
    let again = [("", 3), ("", 1), ("", 2)];
    assert!(driven(&mut kept, &[0], &again).is_empty());
}

#[test]
fn what_is_new_in_one_branch_is_told_from_what_the_others_repeat() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1), ("", 2)]);
    let mut drive = Driven::new(&mut kept, &[0]);
    let new = setting("", 3);
    assert_eq!(drive.sets(&new, false), SettingVerdict::Unclear(0));
    for (value, known) in [(1, 1), (2, 2)] {
        assert_eq!(
            drive.sets(&setting("", value), false),
            SettingVerdict::Known
        );
        if known < 2 {
            assert_eq!(drive.sets(&new, false), SettingVerdict::Unclear(known));
        }
    }
    assert_eq!(drive.sets(&new, false), SettingVerdict::New);
}

#[test]
fn a_value_that_varies_is_known_by_its_place() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1), ("", 2), ("", 3)]);
    let again = [("", 11), ("", 2), ("", 13)];
    assert!(driven(&mut kept, &[0], &again).is_empty());
    let again = [("", 21), ("", 22), ("", 23), ("", 4)];
    assert_eq!(driven(&mut kept, &[0], &again), [4]);
}

/// Settings were counted, so one more or less hid those behind it.
#[test]
fn a_deploy_may_add_settings_and_take_them_away() {
    for (again, new) in [
        (&[1, 9, 2, 3, 4][..], &[4][..]),
        (&[8, 9, 1, 2, 3, 4], &[4]),
        (&[2, 3, 4], &[4]),
        (&[3, 4, 5], &[4, 5]),
    ] {
        let mut kept = None;
        driven(&mut kept, &[0], &[("", 1), ("", 2), ("", 3)]);
        let again: Vec<_> = again.iter().map(|value| ("", *value)).collect();
        assert_eq!(driven(&mut kept, &[0], &again), new, "{again:?}");
    }
}

#[test]
fn behind_what_this_drive_has_recorded_nothing_is_repeated() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1), ("", 2), ("", 3)]);
    let mut drive = Driven::new(&mut kept, &[0]);
    assert_eq!(drive.sets(&setting("", 1), true), SettingVerdict::Known);
    drive.statuses.go_on();
    assert_eq!(drive.sets(&setting("", 7), false), SettingVerdict::New);
}

/// Another branch recorded a step while this one was in doubt, and its varying value was written over the last one.
#[test]
fn what_others_record_meanwhile_makes_nothing_new_of_a_repeated_setting() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1), ("", 2), ("", 3)]);
    let mut drive = Driven::new(&mut kept, &[0]);
    assert_eq!(drive.sets(&setting("", 1), false), SettingVerdict::Known);
    let varied = setting("", 12);
    assert_eq!(drive.sets(&varied, false), SettingVerdict::Unclear(1));
    drive.statuses.go_on();
    assert_eq!(drive.sets(&varied, true), SettingVerdict::Known);
    assert_eq!(drive.sets(&setting("", 3), false), SettingVerdict::Known);
}

/// The loser's settings moved the count on, and those behind the race were taken for repeated.
#[test]
fn an_arm_that_is_not_replayed_is_missed_by_nobody() {
    let mut kept = None;
    driven(
        &mut kept,
        &[0],
        &[("", 1), ("r/a", 2), ("r/b", 3), ("r/b", 4)],
    );
    // What the loser had set is new here.
    let again = [("", 1), ("r/a", 2), ("", 3), ("", 5)];
    assert_eq!(driven(&mut kept, &[0], &again), [3, 5]);
}

#[test]
fn settings_come_again_with_the_steps_that_a_rerun_drops() {
    let all = [("", 1), ("", 2), ("", 3)];
    // What is there already is written too, so that the others are forgotten in the store.
    for all in [&all[..], &[("", 3), ("", 1), ("", 3)]] {
        let values: Vec<_> = all.iter().map(|(_, value)| *value).collect();
        for left in [&[0, 1][..], &[1, 2], &[0, 2], &[]] {
            let mut kept = None;
            driven(&mut kept, &[0, 1, 2], all);
            assert_eq!(driven(&mut kept, left, all), values, "{left:?}");
            assert!(driven(&mut kept, left, all).is_empty());
        }
    }
}

#[test]
fn what_is_recorded_since_changes_nothing() {
    let mut kept = None;
    driven(&mut kept, &[1, 4], &[("", 1), ("", 2)]);
    for later in [&[1, 4, 5][..], &[1, 3, 4], &[1, 2, 3, 4, 5, 6]] {
        assert!(driven(&mut kept, later, &[("", 1), ("", 2)]).is_empty());
    }
}

#[test]
fn a_loop_keeps_so_many_settings_and_no_more() {
    let most = u32::try_from(MOST).expect("a small number");
    let all: Vec<_> = (0..most * 3).map(|value| ("", value)).collect();
    let mut kept = None;
    assert_eq!(driven(&mut kept, &[0], &all).len(), all.len());
    let bytes = kept.as_ref().map(|entry| entry.value.len());
    assert!(bytes < Some(MOST * 24), "{bytes:?}");
    assert!(driven(&mut kept, &[0], &all).is_empty());
    let mut again = all.clone();
    again.push(("", 1));
    assert_eq!(driven(&mut kept, &[0], &again), [1]);
}

/// A form that is not known says nothing of the settings; the value is shown.
#[test]
fn an_entry_of_another_form_is_no_error() {
    let mut kept = None;
    driven(&mut kept, &[0], &[("", 1)]);
    let entry = kept.take().expect("it was set");
    let value = *br#"{"v":1,"place":{"seen":{"":2,"r/a":1},"by":"","after":0},"ok":1}"#;
    kept = Some(entry.with_value("u32", value));
    assert_eq!(driven(&mut kept, &[0], &[("", 1), ("", 2)]), [1, 2]);
    assert!(driven(&mut kept, &[0], &[("", 1), ("", 2)]).is_empty());
}
