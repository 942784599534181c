//! How entries, events and states are written: a small JSON header, a line end, and the bytes as they came.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    error::Fault,
    reply::{self, Row},
    wait_header::WaitHeader,
};
use crate::store::{
    Entry, Lease, NewEvent, Note, Parent, RunStatus, StepKind, StepState, Target, Timestamp,
};

/// The header of an entry. What is as usual is left out.
#[derive(Serialize, Deserialize)]
struct EntryHeader<'a> {
    #[serde(rename = "p", borrow)]
    path: Cow<'a, str>,
    #[serde(rename = "t", borrow)]
    type_name: Cow<'a, str>,
    #[serde(
        rename = "k",
        borrow,
        default = "step",
        skip_serializing_if = "is_step"
    )]
    kind: Cow<'a, str>,
    #[serde(rename = "a", default = "one", skip_serializing_if = "is_one")]
    attempts: u32,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
    #[serde(rename = "b")]
    began_at: i64,
    /// Milliseconds from the beginning.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    finished_after: Option<i64>,
    /// The last one, so that scripts can put places into it.
    #[serde(rename = "w", borrow, default, skip_serializing_if = "Option::is_none")]
    wait: Option<WaitHeader<'a>>,
}

const STEP: &str = "step";

const fn step() -> Cow<'static, str> {
    Cow::Borrowed(STEP)
}

fn is_step(kind: &str) -> bool {
    kind == STEP
}

const fn kind_word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => STEP,
        StepKind::Sleep => "sleep",
        StepKind::Wait => "wait",
        StepKind::Race => "race",
        StepKind::Callback => "callback",
        StepKind::Status => "status",
        StepKind::Call => "call",
        StepKind::Start => "start",
        StepKind::Undo => "undo",
    }
}

fn kind_of(word: &str) -> Result<StepKind, Fault> {
    use StepKind::{Call, Callback, Race, Sleep, Start, Status, Step, Undo, Wait};

    [Step, Sleep, Wait, Race, Callback, Status, Call, Start, Undo]
        .into_iter()
        .find(|kind| kind_word(*kind) == word)
        .ok_or(Fault::Word("kind of step"))
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}

/// An entry begins with its state, so that scripts can tell the failed ones.
pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let began_at = entry.started_at.as_millis();
    let header = EntryHeader {
        path: Cow::Borrowed(&entry.path),
        type_name: Cow::Borrowed(&entry.type_name),
        kind: Cow::Borrowed(kind_word(entry.kind)),
        attempts: entry.attempts,
        due_at: entry.due_at.map(Timestamp::as_millis),
        began_at,
        finished_after: entry
            .finished_at
            .map(|end| end.as_millis().wrapping_sub(began_at)),
        wait: entry.wait.as_ref().map(WaitHeader::of),
    };
    let mut bytes = Vec::with_capacity(96 + entry.path.len() + entry.value.len());
    let is_undoable = entry.undoable && entry.state == StepState::Completed;
    bytes.push(if is_undoable {
        UNDOABLE
    } else {
        state_digit(entry.state)
    });
    with_header(bytes, &header, &entry.value)
}

pub(super) fn decode_entry(seq: u32, bytes: &[u8]) -> Result<Entry, Fault> {
    let (state, rest) = bytes.split_first().ok_or(Fault::Reply("entry"))?;
    let (header, value) = split_line(rest)?;
    let header: EntryHeader<'_> =
        serde_json::from_slice(header).map_err(|_| Fault::Reply("header of an entry"))?;
    Ok(Entry {
        seq,
        path: Arc::from(&*header.path),
        kind: kind_of(&header.kind)?,
        state: match *state {
            UNDOABLE => StepState::Completed,
            state => state_of(state)?,
        },
        type_name: Arc::from(&*header.type_name),
        value: Arc::from(value),
        attempts: header.attempts,
        due_at: header.due_at.map(Timestamp::from_millis),
        wait: header.wait.map(WaitHeader::read).transpose()?,
        started_at: Timestamp::from_millis(header.began_at),
        finished_at: header
            .finished_after
            .map(|after| Timestamp::from_millis(header.began_at.wrapping_add(after))),
        undoable: *state == UNDOABLE,
    })
}

/// The entries of a journal as its hash holds them, in the order of `seq`; and the result of the run.
pub(super) fn decode_journal(mut fields: Row) -> Result<(Vec<Entry>, Option<Vec<u8>>), Fault> {
    let (mut journal, mut result) = (Vec::new(), None);
    while !fields.is_empty() {
        let (field, bytes) = (fields.raw()?, fields.raw()?);
        // The output or last failure of the run lies beside its entries.
        if field == b"result" {
            result = Some(bytes);
        } else {
            journal.push(decode_entry(reply::number(&field)?, &bytes)?);
        }
    }
    journal.sort_unstable_by_key(|entry| entry.seq);
    Ok((journal, result))
}

/// What clients read of an event; scripts put a line before it.
#[derive(Serialize, Deserialize)]
struct EventHeader<'a> {
    #[serde(rename = "t", borrow)]
    event_type: Cow<'a, str>,
    #[serde(rename = "c", borrow, default, skip_serializing_if = "Option::is_none")]
    correlation_key: Option<Cow<'a, str>>,
    #[serde(rename = "p", borrow, default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    /// When a delayed one is due: in digits, which scripts do not round.
    #[serde(rename = "v", borrow, default, skip_serializing_if = "Option::is_none")]
    visible_at: Option<Cow<'a, str>>,
    /// 1 for an event that targets a function, and that no wait finds.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    targeted: Option<u8>,
    /// The digest; the last one, so that scripts find it.
    #[serde(rename = "d", borrow, default, skip_serializing_if = "Option::is_none")]
    digest: Option<Cow<'a, str>>,
}

pub(super) fn encode_event(event: &NewEvent, now: Timestamp) -> Vec<u8> {
    let header = EventHeader {
        event_type: Cow::Borrowed(&event.event_type),
        correlation_key: event.correlation_key.as_deref().map(Cow::Borrowed),
        traceparent: event.traceparent.as_deref().map(Cow::Borrowed),
        visible_at: (event.due_at > now).then(|| event.due_at.as_millis().to_string().into()),
        targeted: matches!(event.target, Target::Function { .. }).then_some(1),
        digest: Some(Cow::Owned(format!("{:?}", event.digest))),
    };
    with_header(
        Vec::with_capacity(128 + event.payload.len()),
        &header,
        &event.payload,
    )
}

/// A stored event.
pub(super) struct Stored {
    pub(super) published_at: Timestamp,
    pub(super) event_type: Arc<str>,
    pub(super) payload: Arc<[u8]>,
    pub(super) correlation_key: Option<Arc<str>>,
    pub(super) traceparent: Option<Arc<str>>,
}

pub(super) fn decode_event(bytes: &[u8]) -> Result<Stored, Fault> {
    let (line, rest) = split_line(bytes)?;
    let (header, payload) = split_line(rest)?;
    let published_at = line.split(|byte| *byte == b' ').nth(1);
    let header: EventHeader<'_> =
        serde_json::from_slice(header).map_err(|_| Fault::Reply("header of an event"))?;
    Ok(Stored {
        published_at: reply::time(published_at.unwrap_or_default())?,
        event_type: Arc::from(&*header.event_type),
        payload: Arc::from(payload),
        correlation_key: header.correlation_key.as_deref().map(Arc::from),
        traceparent: header.traceparent.as_deref().map(Arc::from),
    })
}

pub(super) fn encode_note(note: &Note) -> String {
    serde_json::to_string(note).expect("texts and numbers can be written as JSON")
}

/// The notes of a run, one in each line; without those that cannot be read.
pub(super) fn decode_notes(lines: &[u8]) -> Vec<Note> {
    lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

fn with_header(mut bytes: Vec<u8>, header: &impl Serialize, rest: &[u8]) -> Vec<u8> {
    serde_json::to_writer(&mut bytes, header).expect("texts and numbers can be written as JSON");
    bytes.push(b'\n');
    bytes.extend_from_slice(rest);
    bytes
}

/// JSON without spaces holds no line end, so the first one ends the header.
fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(Fault::Reply("line end"))?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

/// The state of an entry that is completed and can be undone.
const UNDOABLE: u8 = b'3';

const fn state_digit(state: StepState) -> u8 {
    match state {
        StepState::Completed => b'0',
        StepState::Waiting => b'1',
        StepState::Failed => b'2',
    }
}

fn state_of(digit: u8) -> Result<StepState, Fault> {
    [StepState::Completed, StepState::Waiting, StepState::Failed]
        .into_iter()
        .find(|state| state_digit(*state) == digit)
        .ok_or(Fault::Word("state of an entry"))
}

/// The digit of a status; scripts know that those from 4 on are of runs that are over.
pub(super) const fn status_digit(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "0",
        RunStatus::Running => "1",
        RunStatus::Suspended => "2",
        RunStatus::Stopped => "3",
        RunStatus::Completed => "4",
        RunStatus::Failed => "5",
        RunStatus::Cancelled => "6",
        // In no run: what is decided stands in a field of its own.
        RunStatus::Undoing => "7",
    }
}

pub(super) fn status_of(digit: &[u8]) -> Result<RunStatus, Fault> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status_digit(*status).as_bytes() == digit)
        .ok_or(Fault::Word("status of a run"))
}

/// A parent as its runs have it; see `lua/parts/parent.lua`.
pub(super) fn parent_text(parent: &Parent) -> String {
    let is_attached = u8::from(parent.attached);
    format!("{} {is_attached} {}", parent.depth, parent.run_id)
}

pub(super) fn decode_parent(bytes: &[u8]) -> Result<Parent, Fault> {
    let fault = || Fault::Reply("parent");
    let text = std::str::from_utf8(bytes).map_err(|_| fault())?;
    let mut parts = text.splitn(3, ' ');
    let mut next = || parts.next().ok_or_else(fault);
    let (depth, attached, run_id) = (next()?, next()?, next()?);
    let mut parent = Parent::new(run_id, reply::number(depth.as_bytes())?);
    parent.attached = attached == "1";
    Ok(parent)
}

/// A lease as its run has it.
pub(super) fn lease_text(lease: &Lease) -> String {
    format!("{} {}", lease.worker.0, lease.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_small_entry_stays_small() {
        let entry = Entry::new(
            0,
            "a",
            StepKind::Step,
            StepState::Completed,
            Timestamp::from_millis(1_700_000_000_000),
        )
        .with_attempts(1)
        .with_finished_at(Timestamp::from_millis(1_700_000_000_001))
        .with_value("i32", *b"{\"v\":1,\"ok\":1}");
        let bytes = encode_entry(&entry);
        // Redis keeps a hash of values up to this size without a pointer for each.
        assert!(bytes.len() <= 64, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(decode_entry(0, &bytes).expect("it was written so"), entry);
    }

    #[test]
    fn the_ends_of_time_come_back() {
        for (began, finished) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, -1)] {
            let entry = Entry::new(
                7,
                "\n",
                StepKind::Sleep,
                StepState::Waiting,
                Timestamp::from_millis(began),
            )
            .with_due_at(Timestamp::from_millis(i64::MAX))
            .with_finished_at(Timestamp::from_millis(finished))
            .with_value("\u{0}", []);
            let bytes = encode_entry(&entry);
            assert_eq!(decode_entry(7, &bytes).expect("it was written so"), entry);
        }
    }
}
