//! What a form says, or the JSON object that says the same.

use std::collections::BTreeMap;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use serde_json::value::RawValue;

use super::{super::refusal::Refusal, exact};
use crate::worker::Worker;

const FORM: &str = "application/x-www-form-urlencoded";

/// What shows that a form is one of ours.
const FORM_FIELD: &str = "form";

/// The fields of a request that changes something.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form, or a JSON object whose texts are fields as they are and other values as JSON.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let given = headers.get(header::CONTENT_TYPE);
        let given = given.and_then(|value| value.to_str().ok()).unwrap_or(FORM);
        let fields = match given.split(';').next().unwrap_or_default().trim() {
            kind if kind.eq_ignore_ascii_case("application/json") => object(body)?,
            kind if kind.eq_ignore_ascii_case(FORM) => {
                form_urlencoded::parse(body).into_owned().collect()
            }
            _ => {
                return Err(Refusal::bad_request(
                    "the body must be a form, or a JSON object with its fields",
                ));
            }
        };
        if fields.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Refusal::bad_request("a field contains a NUL character"));
        }
        Ok(Self(fields))
    }

    /// What a field says, if it says anything.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let found = fields.find_map(|(own, value)| (own == name).then_some(value.as_str()));
        found.filter(|value| !value.trim().is_empty())
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name)
            .ok_or_else(|| Refusal::bad_request(format!("the field `{name}` is empty")))
    }

    /// Checks that it has no field but these and the form's own, and that each says something. Those of the second list need not.
    pub(super) fn only(&self, needed: &[&str], or_empty: &[&str]) -> Result<(), Refusal> {
        let or_empty: Vec<_> = [FORM_FIELD].iter().chain(or_empty).copied().collect();
        exact::only(&self.0, needed, &or_empty)
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

fn object(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(|_| {
        Refusal::bad_json("the body must be a JSON object with the fields of the form")
    })?;
    let text = |json: &RawValue| {
        serde_json::from_str::<String>(json.get()).unwrap_or_else(|_| json.get().to_owned())
    };
    let fields = fields.into_iter();
    Ok(fields.map(|(name, json)| (name, text(&json))).collect())
}

impl FromRequestParts<Worker> for Fields {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Worker) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
