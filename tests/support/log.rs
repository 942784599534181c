//! What a test binary logs, as a person would read it: with the spans around a line before it.

use std::{
    fmt::{self, Write as _},
    sync::{LazyLock, Mutex, PoisonError},
};

use tracing::{
    Subscriber,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    prelude::*,
    registry::{LookupSpan, Scope},
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The subscriber is there for all threads: by threads of others it would miss lines that they were the first to reach.
static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    tracing_subscriber::registry().with(Log).init();
    tracing::callsite::rebuild_interest_cache();
});

/// Keeps what this process logs from here on.
pub fn keep() {
    LazyLock::force(&INSTALLED);
}

/// The lines that have all of these in them. Each begins with its level.
pub fn lines_with(parts: &[&str]) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
    lines.iter().filter(has_all).cloned().collect()
}

struct Log;

/// The fields of a span, as it had them when it began.
struct Fields(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Line(String::new());
        attributes.record(&mut fields);
        let span = context.span(id).expect("it is new");
        span.extensions_mut().insert(Fields(fields.0));
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(Fields(fields)) = span.extensions().get() {
                // A `String` takes everything.
                let _ = write!(line.0, " {}{{{}}}", span.name(), fields.trim_start());
            }
        }
        event.record(&mut line);
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.0);
    }
}

struct Line(String);

impl Line {
    fn add(&mut self, field: &tracing::field::Field, value: fmt::Arguments<'_>) {
        // A `String` takes everything.
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }
}
