//! A subscriber that keeps the spans and the events which it is told of.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    pub(crate) parent: Option<u64>,
    pub(crate) fields: BTreeMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.fields
            .insert(field.name(), text.trim_matches('"').to_owned());
    }
}

/// The words of an event, and the spans that it lies in.
pub(crate) type Told = (String, Vec<&'static str>);

/// The words of an event, and its fields.
pub(crate) type Said = (String, BTreeMap<&'static str, String>);

/// Ids that a line of the log needs, in its span or in itself.
pub(crate) const IDS: [&str; 4] = ["function", "run", "step", "attempt"];

/// Keeps spans in order, and of each event the spans around it.
#[derive(Clone, Default)]
pub(crate) struct Collect {
    pub(crate) spans: Arc<Mutex<Vec<(u64, Seen)>>>,
    pub(crate) events: Arc<Mutex<Vec<Told>>>,
    /// The fields of the events that have these words.
    pub(crate) fields: Arc<Mutex<Vec<Said>>>,
    /// Which span came before which.
    pub(crate) before: Arc<Mutex<Vec<[&'static str; 2]>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = Seen {
            name: attributes.metadata().name(),
            parent: context
                .span(id)
                .unwrap()
                .parent()
                .map(|span| span.id().into_u64()),
            ..Seen::default()
        };
        attributes.record(&mut seen);
        self.spans.lock().unwrap().push((id.into_u64(), seen));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.spans.lock().unwrap();
        // Ids are used again; the last one of them is meant.
        let span = spans
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == id.into_u64());
        values.record(&mut span.unwrap().1);
    }

    fn on_follows_from(&self, id: &Id, before: &Id, context: Context<'_, S>) {
        let pair = [before, id].map(|id| context.span(id).unwrap().name());
        self.before.lock().unwrap().push(pair);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        let around = context.event_scope(event).into_iter().flatten();
        let around = around.map(|span| span.name()).collect();
        let message = seen.fields.remove("message").unwrap_or_default();
        self.fields
            .lock()
            .unwrap()
            .push((message.clone(), seen.fields));
        self.events.lock().unwrap().push((message, around));
    }
}

impl Collect {
    pub(crate) fn named(&self, name: &str) -> Vec<Seen> {
        let spans = self.spans.lock().unwrap();
        let named = spans.iter().filter(|(_, seen)| seen.name == name);
        named.map(|(_, seen)| seen.clone()).collect()
    }

    /// Which of the ids the lines with these words have in themselves.
    pub(crate) fn ids_in(&self, words: &str) -> Vec<Vec<&'static str>> {
        let fields = self.fields.lock().unwrap();
        let wanted = fields.iter().filter(|(text, _)| text.contains(words));
        let ids = |fields: &BTreeMap<_, _>| {
            IDS.into_iter()
                .filter(|id| fields.contains_key(id))
                .collect()
        };
        wanted.map(|(_, fields)| ids(fields)).collect()
    }

    pub(crate) fn around(&self, message: &str) -> Vec<Vec<&'static str>> {
        let events = self.events.lock().unwrap();
        let wanted = events.iter().filter(|(text, _)| text == message);
        wanted.map(|(_, around)| around.clone()).collect()
    }
}

pub(crate) fn fields<'a>(seen: &'a [Seen], names: &[&str]) -> Vec<Vec<&'a str>> {
    let field = |seen: &'a Seen, name| seen.fields.get(name).map_or("", String::as_str);
    let one = |seen| names.iter().map(|name| field(seen, *name)).collect();
    seen.iter().map(one).collect()
}
