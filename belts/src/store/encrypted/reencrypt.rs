//! Everything that a store keeps, sealed with the key that seals now.

use std::{collections::BTreeSet, sync::Arc};

use super::{Encrypted, inward, schedules, twins::FROM_BEFORE};
use crate::{
    clock::{Clock as _, SystemClock},
    codec::sealed::{in_event, key_of},
    error::Result,
    seal::{Opened, Place, Sealer},
    store::{ENDED, RunFilter, ScheduleChange, ScheduleRow, StoredEvent, Substitute, ValueOf},
};

/// How many runs are gone through at a time, each with two reads.
const RUNS: usize = 50;
const EVENTS: usize = 200;
const SCHEDULES: usize = 200;
/// The most values, and the most bytes, of one write: others wait meanwhile.
const MOST_VALUES: usize = 200;
const MOST_BYTES: usize = 1024 * 1024;

/// Seals everything anew that a store keeps, part by part; made by [`Encrypted::reencrypt`].
///
/// What is sealed with the first key of the ring is left alone, so it can be stopped at any time and begun again. A value is replaced
/// only as long as it is the one that was read, so workers may go on meanwhile.
#[derive(Debug)]
pub struct Reencrypt {
    store: Encrypted,
    at: At,
    done: Reencrypted,
}

#[derive(Debug)]
enum At {
    Events(Option<String>),
    Runs(Option<String>),
    Schedules(Option<Arc<str>>),
    End,
}

/// How far [`Reencrypt`] has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reencrypted {
    /// How many events were looked at. A store that is written to meanwhile may bring one twice.
    pub events: usize,
    /// How many runs were looked at, each with its journal.
    pub runs: usize,
    /// How many schedules were looked at.
    pub schedules: usize,
    /// How many values were sealed anew.
    pub changed: usize,
    /// How many values do not open: their key is missing, or is another one of the same id, or they were changed or moved.
    pub closed: usize,
    /// The ids of the keys of those.
    pub keys: BTreeSet<String>,
}

impl Encrypted {
    /// Seals everything anew that is not sealed with the first key of the ring.
    ///
    /// ```
    /// use belts::{Keyring, store::{Encrypted, Memory}};
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let keys = Keyring::new("2026-11", [7; 32]).and_old("2026-01", [3; 32]);
    /// let store = Encrypted::new(Arc::new(Memory::new()), &keys)?;
    /// let mut reencrypt = store.reencrypt();
    /// while reencrypt.next().await? {}
    /// assert_eq!(reencrypt.done().closed, 0);
    /// # Ok(()) }
    /// ```
    pub fn reencrypt(&self) -> Reencrypt {
        Reencrypt {
            store: self.clone(),
            at: At::Events(None),
            done: Reencrypted::default(),
        }
    }
}

impl Reencrypt {
    /// Does a part; whether any is left.
    ///
    /// # Errors
    /// The store cannot be reached or written; the part can be done again. Of kind [`Config`](crate::ErrorKind::Config): it is a store
    /// that cannot change its values.
    pub async fn next(&mut self) -> Result<bool> {
        self.at = match &self.at {
            At::Events(mark) => {
                let page = self.store.inner.events(mark.as_deref(), EVENTS).await?;
                let mut part = Part::new(&self.store);
                for event in &page.events {
                    part.event(event).await?;
                }
                part.finish(&mut self.done).await?;
                self.done.events += page.events.len();
                match page.next {
                    Some(mark) => At::Events(Some(mark)),
                    None => At::Runs(None),
                }
            }
            At::Runs(mark) => {
                let mut filter = RunFilter::new().with_limit(RUNS);
                filter.after.clone_from(mark);
                let page = self.store.inner.list(filter).await?;
                let mut part = Part::new(&self.store);
                for run in &page.runs {
                    part.run(&run.run_id).await?;
                }
                part.finish(&mut self.done).await?;
                self.done.runs += page.runs.len();
                match page.next {
                    Some(mark) => At::Runs(Some(mark)),
                    None if self.store.inner.capabilities().schedules => At::Schedules(None),
                    None => At::End,
                }
            }
            At::Schedules(last) => {
                let inner = &self.store.inner;
                let page = inner.schedules(last.as_deref(), SCHEDULES).await?;
                let mut part = Part::new(&self.store);
                part.schedules(&page).await?;
                part.finish(&mut self.done).await?;
                self.done.schedules += page.len();
                match page.last() {
                    Some(last) if page.len() == SCHEDULES => {
                        At::Schedules(Some(Arc::clone(&last.name)))
                    }
                    _ => At::End,
                }
            }
            At::End => At::End,
        };
        Ok(!matches!(self.at, At::End))
    }

    /// How far it has come.
    pub fn done(&self) -> &Reencrypted {
        &self.done
    }
}

/// What is to be written of one part.
struct Part<'a> {
    store: &'a Encrypted,
    values: Vec<Substitute>,
    bytes: usize,
    done: Reencrypted,
}

impl<'a> Part<'a> {
    fn new(store: &'a Encrypted) -> Self {
        Self {
            store,
            values: Vec::new(),
            bytes: 0,
            done: Reencrypted::default(),
        }
    }

    async fn event(&mut self, event: &StoredEvent) -> Result<()> {
        let of = ValueOf::Event(Arc::clone(&event.id));
        let by = Arc::clone(&self.store.sealer);
        if &*event.event_type == ENDED {
            let Some(child) = &event.correlation_key else {
                return Ok(());
            };
            let place = Place::Result { run_id: child };
            let sealed = in_event(&event.payload).filter(|key| *key != by.primary());
            if let Some(key) = sealed {
                let mut failure = None;
                let told = inward::told(&event.payload, |result| {
                    anew(&by, place, result).unwrap_or_else(|error| {
                        failure = Some(error);
                        None
                    })
                });
                if let Some(error) = failure {
                    return Err(error);
                }
                match told {
                    Some(told) => self.put(of, &event.payload, told).await?,
                    None => self.closed(key),
                }
            }
            return Ok(());
        }
        let place = Place::Event {
            id: &event.id,
            event_type: &event.event_type,
        };
        self.value(of, place, &event.payload).await
    }

    async fn run(&mut self, run_id: &Arc<str>) -> Result<()> {
        let inner = Arc::clone(&self.store.inner);
        if let Some(run) = inner.run(run_id).await?
            && let Some(result) = &run.result
        {
            let of = ValueOf::Result(Arc::clone(run_id));
            self.value(of, Place::Result { run_id }, result).await?;
        }
        for entry in inner.journal(run_id).await? {
            if entry.value.is_empty() {
                continue;
            }
            let place = Place::Entry {
                run_id,
                path: &entry.path,
                kind: entry.kind,
            };
            let of = ValueOf::entry(Arc::clone(run_id), entry.seq);
            self.value(of, place, &entry.value).await?;
        }
        Ok(())
    }

    async fn schedules(&mut self, rows: &[ScheduleRow]) -> Result<()> {
        let mut changes = Vec::new();
        for row in rows {
            if let Some(sealed) = self.sealed(schedules::place(row), &row.value)? {
                let (name, function) = (Arc::clone(&row.name), Arc::clone(&row.function_id));
                let to = ScheduleRow::new(name, function, sealed).with_due_at(row.due_at);
                changes.push(ScheduleChange::update(row, to));
            }
        }
        if !changes.is_empty() {
            // What a worker has written since is sealed with its own key.
            let now = SystemClock.now();
            let written = self.store.inner.change_schedules(changes, now).await?;
            self.done.changed += written.into_iter().filter(|written| *written).count();
        }
        Ok(())
    }

    async fn value(&mut self, of: ValueOf, place: Place<'_>, value: &Arc<[u8]>) -> Result<()> {
        match self.sealed(place, value)? {
            Some(sealed) => self.put(of, value, sealed).await,
            None => Ok(()),
        }
    }

    /// A value sealed with the first key; `None` where it is already, or does not open.
    fn sealed(&mut self, place: Place<'_>, value: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let key = key_of(value);
        if key == Some(self.store.sealer.primary())
            && self.store.sealer.open(place, value).is_some()
        {
            return Ok(None);
        }
        let sealed = anew(&self.store.sealer, place, value)?;
        if sealed.is_none() {
            self.closed(key.unwrap_or_default());
        }
        Ok(sealed)
    }

    fn closed(&mut self, key: &str) {
        self.done.closed += 1;
        self.done.keys.insert(key.to_owned());
    }

    async fn put(&mut self, of: ValueOf, from: &Arc<[u8]>, to: Arc<[u8]>) -> Result<()> {
        self.bytes += from.len() + to.len();
        self.values.push(Substitute::new(of, Arc::clone(from), to));
        if self.values.len() >= MOST_VALUES || self.bytes >= MOST_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        self.bytes = 0;
        let values = std::mem::take(&mut self.values);
        if !values.is_empty() {
            // What a worker has written since is sealed with its own key.
            self.done.changed += self.store.inner.substitute(values).await?;
        }
        Ok(())
    }

    async fn finish(mut self, done: &mut Reencrypted) -> Result<()> {
        self.write().await?;
        done.changed += self.done.changed;
        done.closed += self.done.closed;
        done.keys.append(&mut self.done.keys);
        Ok(())
    }
}

/// A value sealed with the first key; `None` where it does not open.
fn anew(sealer: &Sealer, place: Place<'_>, value: &[u8]) -> Result<Option<Arc<[u8]>>> {
    let is_event = matches!(place, Place::Event { .. });
    let opened = if key_of(value).is_some() {
        sealer.open(place, value)
    } else {
        Some(Opened {
            label: is_event.then(|| FROM_BEFORE.into()),
            value: value.into(),
        })
    };
    let Some(Opened { label, value }) = opened else {
        return Ok(None);
    };
    sealer.seal(place, label.as_deref(), &value).map(Some)
}
