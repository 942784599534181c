//! What becomes of a message that cannot be made durable: whether it comes again, and when.
//!
//! A message that no program could ever read is put aside at once. One that this program cannot take may be another one's: in a
//! deploy two versions receive from one queue. It is handed on, soon at first, until it has come more often than chance
//! explains. And what fails for the store's sake comes again until the store works.

use std::time::Duration;

use crate::{
    Backoff,
    dispatch::{Delivery, Verdict, wire},
    error::{Error, ErrorKind},
};

/// How long a message waits that could not be made durable, by how often it came.
const PUT_OFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// How long a message or a run waits that another program may take.
pub(super) const HAND_ON: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(60));
/// How often an event may arrive that nobody listens for, while a worker that does may be on its way.
const PATIENCE: u32 = 10;
/// How often one may come that does not fit: where two programs share a queue evenly, one in a million comes twenty times to
/// the wrong one.
pub(super) const MISFIT_PATIENCE: u32 = 20;
/// From which arrival without an answer on a message is taken alone.
const SUSPECT_FROM: u32 = 3;
/// How often a message may be given out without an answer.
const MOST_UNANSWERED: u32 = 5;

/// Why a message is not durable.
pub(super) enum Refused {
    /// It came again and again, and nobody who had it lived to answer.
    Deadly(u32),
    Misread(wire::Misread),
    Failed(Error),
}

impl Refused {
    /// What is to become of the message, which has arrived so often.
    pub(super) fn verdict(&self, arrivals: u32) -> Verdict {
        let (patience, pause) = match self {
            Self::Deadly(_) => return Verdict::PutAside,
            Self::Misread(misread) if misread.is_hopeless() => return Verdict::PutAside,
            Self::Misread(_) => (MISFIT_PATIENCE, HAND_ON),
            Self::Failed(error) => match error.kind() {
                // Whoever receives it finds the same: it is too big, or there is another event under its id.
                ErrorKind::TooLarge | ErrorKind::Conflict => return Verdict::PutAside,
                ErrorKind::UnknownEvent | ErrorKind::UnknownFunction => (PATIENCE, PUT_OFF),
                ErrorKind::Panicked => (MISFIT_PATIENCE, HAND_ON),
                _ if error.is_retryable() => (u32::MAX, PUT_OFF),
                _ => (MISFIT_PATIENCE, HAND_ON),
            },
        };
        if arrivals < patience {
            Verdict::Later(pause.ceiling(arrivals))
        } else {
            Verdict::PutAside
        }
    }

    /// The reason, for a person.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Deadly(times) => format!(
                "it was delivered {times} times and never settled: it may crash the processes that receive it"
            ),
            Self::Misread(misread) => misread.message.clone(),
            Self::Failed(error) => error.report(),
        }
    }

    /// The reason without what an error may have taken from the event, for a place that keeps it in plain text.
    pub(super) fn reason_without_values(&self, body: &[u8]) -> String {
        let Self::Failed(error) = self else {
            return self.reason();
        };
        let kind = error.kind().as_str();
        let event = wire::Body::read(body).ok().and_then(|body| body.event);
        match event {
            Some(event) => format!(
                "{kind}: `{}`; the log of the worker says more",
                event.event_type
            ),
            None => format!("{kind}; the log of the worker says more"),
        }
    }
}

/// Whether a message may have ended a process before, so that it is not to take others with it.
pub(super) fn is_suspect(delivery: &Delivery) -> bool {
    let unanswered = delivery
        .unanswered
        .unwrap_or(delivery.arrivals.saturating_sub(1));
    unanswered + 1 >= SUSPECT_FROM
}

/// Why a message is put aside without another look at it.
pub(super) fn deadly(delivery: &Delivery) -> Option<Refused> {
    let times = delivery
        .unanswered
        .filter(|times| *times >= MOST_UNANSWERED)?;
    Some(Refused::Deadly(times))
}

impl From<wire::Misread> for Refused {
    fn from(misread: wire::Misread) -> Self {
        Self::Misread(misread)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ErrorKind) -> Refused {
        Refused::Failed(Error::new(kind, "it failed"))
    }

    #[test]
    fn only_what_no_program_could_read_is_put_aside_at_once() {
        for body in ["no JSON", "[]", "{}"] {
            let refused = Refused::from(wire::Body::read(body.as_bytes()).expect_err("no message"));
            assert_eq!(refused.verdict(1), Verdict::PutAside, "{body}");
        }
        let newer = br#"{"v":2,"event":{"type":"a"}}"#;
        let newer = Refused::from(wire::Body::read(newer).expect_err("another version"));
        for refused in [
            newer,
            failed(ErrorKind::InvalidEvent),
            failed(ErrorKind::Panicked),
        ] {
            let reason = refused.reason();
            assert_eq!(
                refused.verdict(1),
                Verdict::Later(Duration::from_millis(100)),
                "{reason}"
            );
            assert_eq!(
                refused.verdict(MISFIT_PATIENCE),
                Verdict::PutAside,
                "{reason}"
            );
        }
    }

    #[test]
    fn what_an_error_says_of_an_event_can_be_left_out() {
        let body = br#"{"event":{"type":"signup","email":"ada@example.com"}}"#;
        let error = Error::new(ErrorKind::InvalidEvent, "`ada@example.com` is no address");
        assert_eq!(
            Refused::from(error).reason_without_values(body),
            "invalid-event: `signup`; the log of the worker says more"
        );
        assert_eq!(
            failed(ErrorKind::TooLarge).reason_without_values(b"no JSON"),
            "too-large; the log of the worker says more"
        );
    }

    #[test]
    fn what_fails_for_the_store_comes_again_for_ever() {
        let refused = failed(ErrorKind::Store);
        assert_eq!(
            refused.verdict(u32::MAX - 1),
            Verdict::Later(Duration::from_secs(60))
        );
    }
}
