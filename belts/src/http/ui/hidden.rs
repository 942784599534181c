//! The names of fields whose values nobody is shown.

/// The names of such fields, without capitals, `_` and `-`.
#[derive(Debug, Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    pub(super) fn add<N: AsRef<str>>(&mut self, names: impl IntoIterator<Item = N>) {
        self.0
            .extend(names.into_iter().map(|name| bare(name.as_ref())));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field is hidden, by its name as JSON.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_it = |name: String| self.0.contains(&bare(&name));
        !self.is_empty() && serde_json::from_str::<String>(name).is_ok_and(is_it)
    }
}

fn bare(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}
