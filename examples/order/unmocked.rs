//! Replaces the mock of QStash if this program is built without it.

use belts::WorkerBuilder;

use crate::demo::Outcome;

/// There is none.
pub(crate) enum Mocked {}

impl Mocked {
    pub(crate) fn start() -> Outcome<Self> {
        Err("run it with `--features qstash`".into())
    }

    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        match *self {}
    }

    pub(crate) fn dispatcher(&self, _: WorkerBuilder, _: &str) -> Outcome<WorkerBuilder> {
        match *self {}
    }
}
