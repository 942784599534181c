//! Which limit of runs at once keeps a run waiting.

use crate::store::Lane;

/// The limit of runs at once that keeps a run waiting.
///
/// ```
/// use belts::store::{InLine, Lane};
/// let full = InLine::new(Lane::new("ship:account", "7", 5), 5);
/// assert_eq!(full.why("ship"), "concurrency account=7 5/5");
/// let shared = InLine::new(Lane::new("shared:openai", "", 20), 20);
/// assert_eq!(shared.why("ship"), "concurrency openai 20/20");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InLine {
    /// The pool and the key, with the limit by which it was left waiting.
    pub lane: Lane,
    /// How many places are taken.
    pub held: u32,
}

impl InLine {
    /// So many places of this limit are taken.
    pub fn new(lane: Lane, held: u32) -> Self {
        Self { lane, held }
    }

    /// Why a run of this function waits, in short.
    pub fn why(&self, function_id: &str) -> String {
        let Lane { pool, key, limit } = &self.lane;
        let own = pool.strip_prefix(function_id);
        let label = match pool.strip_prefix("shared:") {
            Some(name) => name,
            None => own.map_or(&**pool, |label| label.trim_start_matches(':')),
        };
        let named: Vec<&str> = [label, key]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect();
        let space = if named.is_empty() { "" } else { " " };
        format!(
            "concurrency{space}{} {}/{limit}",
            named.join("="),
            self.held
        )
    }
}
