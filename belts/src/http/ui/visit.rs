//! A request that may look: what it may do, and what its answer needs.

use std::{convert::Infallible, fmt};

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};

use super::super::{query::query, refusal::Refusal};
use crate::{clock::Timestamp, inspect::Runs, worker::Worker};

/// Whoever asks, and how.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// Whether it may change anything.
    pub(super) operates: bool,
    /// Whether it has a cookie to be signed out of.
    pub(super) signed_in: bool,
    /// Who it is, for the record of a change.
    pub(super) by: String,
    /// What forms for it have.
    pub(super) form: String,
    /// Whether it wants JSON.
    pub(super) json: bool,
    /// What leads from its address to those of the dashboard.
    pub(super) base: String,
    /// Its own address, from there.
    pub(super) here: String,
    /// The answer that it has already.
    pub(super) has: Option<String>,
    pub(super) now: Timestamp,
}

impl Visit {
    /// The worker's runs, on its behalf.
    pub(super) fn runs(&self, worker: &Worker) -> Runs {
        worker.runs().by(&self.by)
    }

    /// An address of the dashboard.
    pub(super) fn to(&self, address: impl fmt::Display) -> String {
        format!("{}{address}", self.base)
    }

    /// The page of a run.
    pub(super) fn to_run(&self, id: &str) -> String {
        self.to(run(id))
    }
}

/// The page of a run, from the dashboard. Most ids make a path; others could be taken apart on their way.
pub(super) fn run(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !id.is_empty() && id.bytes().all(is_plain) {
        return format!("runs/{id}");
    }
    address("run", &[("id", id)])
}

/// A path with a query.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(query);
    let query = text.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

impl FromRequestParts<Worker> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Worker) -> Result<Self, Infallible> {
        // The guard lets nobody through without one.
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self {
            operates: false,
            signed_in: false,
            by: String::new(),
            form: String::new(),
            json: true,
            base: String::new(),
            here: String::new(),
            has: None,
            now: Timestamp::from_millis(0),
        }))
    }
}

/// What the address asks for.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// The parameters of an address; those that a form left empty are not there.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let pairs = query(uri)?.into_iter();
        Ok(Self(pairs.filter(|(_, value)| !value.is_empty()).collect()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs.find_map(|(own, value)| (own == name).then_some(value.as_str()))
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter(move |(own, _)| own == name);
        pairs.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name)
            .ok_or_else(|| Refusal::bad_request(format!("`{name}` is missing in the address")))
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}
