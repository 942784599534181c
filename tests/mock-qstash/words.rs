//! The options of a message as they were written, in headers or in the query.

use std::collections::BTreeMap;

use axum::http::HeaderMap;

/// Options by their lower-case names without `upstash-`; `content-type` is one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words(BTreeMap<String, String>);

impl Words {
    /// Headers come first; the query speaks where they say nothing.
    pub(crate) fn new(headers: &HeaderMap, query: Vec<(String, String)>) -> Self {
        let mut words = Self(query.into_iter().collect());
        let mut others = Vec::new();
        for name in headers.keys() {
            let values = headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|v| String::from_utf8_lossy(v.as_bytes()))
                .collect();
            let value = values.join(", ");
            match name.as_str().strip_prefix("upstash-") {
                Some(option) => words.set(option, &value),
                None if name == "content-type" => words.set("content-type", &value),
                None => others.push((name.as_str(), value)),
            }
        }
        if words.is_true("header-forward") {
            words.forward(others);
        }
        words
    }

    /// The headers of a batch's item.
    pub(crate) fn of_item(headers: &BTreeMap<String, String>) -> Self {
        let lower = headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v));
        let known = lower.filter_map(|(name, value)| {
            let option = name.strip_prefix("upstash-").map(str::to_owned);
            let option = option.or_else(|| (name == "content-type").then_some(name));
            option.map(|option| (option, value.clone()))
        });
        Self(known.collect())
    }

    fn forward(&mut self, headers: Vec<(&str, String)>) {
        // These belong to the request to the service.
        const OWN: [&str; 5] = [
            "host",
            "content-length",
            "connection",
            "authorization",
            "transfer-encoding",
        ];
        for (name, value) in headers.into_iter().filter(|(name, _)| !OWN.contains(name)) {
            self.0.entry(format!("forward-{name}")).or_insert(value);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn set_if_absent(&mut self, name: &str, value: Option<&str>) {
        if let (None, Some(value)) = (self.get(name), value) {
            self.set(name, value);
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// These options, where they say nothing those of `before`.
    pub(crate) fn over(mut self, before: &Self) -> Self {
        for (name, value) in &before.0 {
            self.set_if_absent(name, Some(value));
        }
        self
    }

    /// The options whose names begin so, without this beginning.
    pub(crate) fn under(&self, prefix: &str) -> Self {
        let inner = self.0.iter();
        Self(
            inner
                .filter_map(|(name, value)| {
                    Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))
                })
                .collect(),
        )
    }

    /// The options of the callback of this name. They are the message's, behind the callback's name; it is retried like
    /// the message unless it says more.
    pub(crate) fn of_callback(&self, name: &str) -> Self {
        let mut own = self.under(&format!("{name}-"));
        own.set_if_absent("retries", self.get("retries"));
        own.set_if_absent("retry-delay", self.get("retry-delay"));
        own.set_if_absent("content-type", Some("application/json"));
        own
    }

    /// The headers that the destination gets.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let own = self
            .get("content-type")
            .map(|value| ("content-type".to_owned(), value.to_owned()));
        own.into_iter().chain(self.under("forward-").0).collect()
    }
}
