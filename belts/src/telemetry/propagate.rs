//! Carries a trace from the publisher of an event into the runs that it starts.

use std::sync::Arc;

use tracing::Span;

/// Carries a trace from the publisher of an event into the runs that the event starts, in whichever process they run.
///
/// belts uses [`tracing`], which has no ids that mean anything elsewhere. A propagator translates a span into a
/// `traceparent` of [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header), and back. belts
/// keeps that text with the event, through every dispatcher and store. Set one with
/// [`WorkerBuilder::propagator`](crate::WorkerBuilder::propagator), where events are published and where runs are driven.
///
/// The example `opentelemetry` implements it for OpenTelemetry in twenty lines.
///
/// ```rust,standalone_crate
/// use belts::{Event, Propagator, Worker, step, store::Memory};
/// use serde::{Deserialize, Serialize};
/// use std::sync::{Arc, Mutex};
///
/// const HERE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
///
/// /// Traces everything to one place, and notes what arrives.
/// struct Noted(Arc<Mutex<Vec<String>>>);
///
/// impl Propagator for Noted {
///     fn inject(&self, _span: &tracing::Span) -> Option<String> {
///         Some(HERE.to_owned())
///     }
///
///     fn extract(&self, traceparent: &str, _span: &tracing::Span) {
///         self.0.lock().unwrap().push(traceparent.to_owned());
///     }
/// }
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct PageVisited {}
///
/// #[belts::function(id = "count-visit", on = PageVisited)]
/// async fn count_visit(_: PageVisited) -> belts::Result<u32> {
///     step!("count", 1).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let arrived = Arc::default();
/// let propagator = Noted(Arc::clone(&arrived));
/// let worker = Worker::builder().store(Memory::new()).propagator(propagator).build().await?;
/// worker.execute(PageVisited {}).await?;
/// assert_eq!(*arrived.lock().unwrap(), [HERE]);
/// # Ok(()) }
/// ```
pub trait Propagator: Send + Sync + 'static {
    /// The `traceparent` of this span, in which an event is published, or `None` if it is not traced. An invalid one is
    /// ignored.
    fn inject(&self, span: &Span) -> Option<String>;

    /// Makes `span`, a new span in which a run is driven, a child of the span that `traceparent` names. It is called each
    /// time the run is driven: again after each sleep, retry or crash. If no subscriber is interested, `span` is disabled.
    fn extract(&self, traceparent: &str, span: &Span);
}

/// The characters of a `traceparent`: version, trace id, parent id and flags, in hexadecimal digits.
const PARTS: [usize; 4] = [2, 32, 16, 2];

/// Parses a `traceparent` from outside. An invalid one is treated as missing, as the recommendation asks; of a later version
/// than 00, the part that 00 has is read.
pub(crate) fn traceparent(text: &str) -> Option<Arc<str>> {
    let length = PARTS.iter().sum::<usize>() + PARTS.len() - 1;
    let known = text.get(..length)?;
    let rest = &text[length..];
    let parts: Vec<&str> = known.split('-').collect();
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_right = parts.len() == PARTS.len()
        && parts
            .iter()
            .zip(PARTS)
            .all(|(part, length)| part.len() == length && digits(part));
    let is_nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
    let is_whole = match parts[0] {
        "00" => rest.is_empty(),
        "ff" => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    (is_right && is_whole && !is_nothing(parts[1]) && !is_nothing(parts[2])).then(|| known.into())
}

#[cfg(test)]
mod tests {
    use super::traceparent;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_what_names_a_span_is_taken() {
        assert_eq!(traceparent(GOOD).as_deref(), Some(GOOD));
        let later = GOOD.replacen("00", "01", 1);
        assert_eq!(traceparent(&later).as_deref(), Some(&*later));
        assert_eq!(
            traceparent(&format!("{later}-more")).as_deref(),
            Some(&*later)
        );
        for wrong in [
            "",
            "00",
            &GOOD[1..],
            &format!("{GOOD}0"),
            &format!("{GOOD}-more"),
            &format!("{later}0"),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.to_uppercase(),
            &GOOD.replace('-', "0"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("4bf9", "4b-9"),
            &GOOD.replace("4bf9", "4b\u{e9}"),
        ] {
            assert_eq!(traceparent(wrong), None, "{wrong:?}");
        }
    }
}
