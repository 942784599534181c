//! Fenced writes of workers: journal entries, and what becomes of the run.

use std::slice::Iter;

use super::{
    Fault, Redis,
    publish::{add_start, new_ticket},
    reply,
    rows::{encode_entry, lease_text, status_digit},
    script::{self, Call},
    waits::{add_wait, concerns_waits},
};
use crate::{
    error::Result,
    store::{Commit, CommitBatch, CommitOutcome, Entry, Lease, Timestamp, Transition},
};

impl Redis {
    pub(super) async fn write_commits(&self, request: &CommitBatch) -> Result<Vec<CommitOutcome>> {
        let quiet = self.inner.teller.quiet();
        let starts = request.commits.iter().map(|commit| commit.starts.len());
        let tickets: Vec<u64> = (0..starts.sum()).map(|_| new_ticket()).collect();
        let answer =
            self.run(|resent| self.commit_call(request, &tickets, resent, quiet.is_none()));
        let digits = self.read(digits(answer.await?, request.commits.len()))?;
        let outcomes = outcomes(&digits);
        if digits.contains(&b'3') {
            self.inner.left_runs(Some(quiet.unwrap_or_default()));
        } else if digits.contains(&b'2') || leaves_due_runs(request, &outcomes) {
            self.inner.left_runs(quiet);
        }
        Ok(outcomes)
    }

    fn commit_call(
        &self,
        request: &CommitBatch,
        tickets: &[u64],
        resent: bool,
        tells: bool,
    ) -> Call {
        // A script of its own for each of the two usual commits, and one for all others.
        if let [commit] = &*request.commits
            && !commit.concerns_others()
            && commit.tags.is_empty()
            && !commit.entries.iter().any(concerns_waits)
        {
            let undoable = commit.entries.iter().any(|entry| entry.undoable);
            match &commit.transition {
                None if !undoable => return self.step_call(commit),
                Some(Transition::Complete { output }) if self.is_plain_end(commit, resent) => {
                    return self.finish_call(commit, output, request.now);
                }
                _ => {}
            }
        }
        let mut call = self.call(&script::COMMIT);
        call.arg(request.now.as_millis())
            .flag(resent)
            .arg(&self.inner.ttl)
            .arg(self.sender_if(tells))
            .arg(request.commits.len());
        let mut tickets = tickets.iter();
        for commit in &request.commits {
            add_commit(&mut call, commit);
            add_others(&mut call, commit, &mut tickets, request.now);
            call.arg(commit.tags.len());
            for tag in &commit.tags {
                call.arg(tag.to_string());
            }
        }
        call
    }

    /// One run that goes on.
    fn step_call(&self, commit: &Commit) -> Call {
        let [run, steps] = self.keys_of(&commit.lease);
        let mut call = Call::with_keys(&script::STEP, &[&run, &steps]);
        call.arg(lease_text(&commit.lease));
        add_entries(&mut call, commit);
        call
    }

    fn is_plain_end(&self, commit: &Commit, resent: bool) -> bool {
        // Lua hands over only so many arguments at once.
        !resent && self.inner.ttl.is_empty() && commit.entries.len() <= 100
    }

    /// One run that has completed.
    fn finish_call(&self, commit: &Commit, output: &[u8], now: Timestamp) -> Call {
        let (keys, lease) = (&self.inner.keys, &commit.lease);
        let [run, steps] = self.keys_of(lease);
        let held = format!("{keys}held:{}", lease.worker.0);
        let finished = format!("{keys}finished");
        let keys = [&*run, &*steps, &*held, &*finished];
        let mut call = Call::with_keys(&script::FINISH, &keys);
        call.arg(now.as_millis())
            .arg(lease_text(lease))
            .arg(lease.run)
            .arg(output);
        add_entries(&mut call, commit);
        call
    }

    /// The keys of a run and its journal.
    fn keys_of(&self, lease: &Lease) -> [String; 2] {
        let keys = &self.inner.keys;
        [
            format!("{keys}run:{}", lease.run),
            format!("{keys}steps:{}", lease.run),
        ]
    }
}

fn add_entries(call: &mut Call, commit: &Commit) {
    for entry in &commit.entries {
        call.arg(entry.seq).arg(encode_entry(entry));
    }
}

fn add_commit(call: &mut Call, commit: &Commit) {
    let lease = &commit.lease;
    call.arg(lease.run)
        .arg(lease.worker.0)
        .arg(lease_text(lease));
    match &commit.transition {
        Some(transition) => add_change(call, transition),
        None => {
            call.arg("");
        }
    }
    let entries = commit.entries.iter();
    let (waits, plain): (Vec<&Entry>, Vec<&Entry>) =
        entries.partition(|entry| concerns_waits(entry));
    call.arg(plain.len());
    for entry in plain {
        call.arg(entry.seq).arg(encode_entry(entry));
    }
    call.arg(waits.len());
    for entry in waits {
        add_wait(call, entry);
    }
}

/// The runs to start, those to watch, and those to cancel; empty where there are none of these.
fn add_others(call: &mut Call, commit: &Commit, tickets: &mut Iter<'_, u64>, now: Timestamp) {
    if !commit.concerns_others() {
        call.arg("");
        return;
    }
    call.arg(commit.starts.len());
    for (event, ticket) in commit.starts.iter().zip(tickets) {
        add_start(call, event, *ticket, now);
    }
    for ids in [&commit.watches, &commit.cancels] {
        call.arg(ids.len());
        for run_id in ids {
            call.arg(&**run_id);
        }
    }
}

/// The new status, when the run is due, its failed attempts, its result, and whether it keeps its time; empty where there is none.
fn add_change(call: &mut Call, transition: &Transition) {
    let Some(ending) = transition.ending() else {
        call.arg("x").arg("").arg("").arg("").arg("");
        return;
    };
    let before = if ending.is_undone { "u" } else { "" };
    call.arg(format!("{before}{}", status_digit(ending.status)));
    match ending.due_at {
        Some(due_at) => call.arg(due_at.as_millis()),
        None => call.arg(""),
    };
    match ending.failed_attempts {
        Some(failed_attempts) => call.arg(failed_attempts),
        None => call.arg(""),
    };
    call.arg(ending.result.map_or(&[][..], |result| &**result))
        .flag(ending.keeps_time);
}

/// What became of each commit: 2 where it left runs for others, and 3 where nobody has told others of these.
fn digits(answer: redis::Value, expected: usize) -> Result<Vec<u8>, Fault> {
    let digits = reply::raw(answer)?;
    if digits.len() != expected {
        return Err(Fault::Reply("outcome of each commit"));
    }
    Ok(digits)
}

fn outcomes(digits: &[u8]) -> Vec<CommitOutcome> {
    let outcome = |digit: &u8| match digit {
        b'1'..=b'3' => CommitOutcome::Applied,
        _ => CommitOutcome::LeaseLost,
    };
    digits.iter().map(outcome).collect()
}

fn leaves_due_runs(request: &CommitBatch, outcomes: &[CommitOutcome]) -> bool {
    let mut commits = request.commits.iter().zip(outcomes);
    commits.any(|(commit, outcome)| {
        let transition = commit.transition.as_ref();
        let ending = transition.and_then(Transition::ending);
        *outcome == CommitOutcome::Applied
            && ending.is_some_and(|ending| ending.is_due(request.now))
    })
}
