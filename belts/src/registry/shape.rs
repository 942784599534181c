//! What an event of a type looks like, as far as its own code says: asked for with less than it wants, it names what is missing.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Registry, fits, linked};

/// The most fields that are found.
const MOST: usize = 40;

impl Registry {
    /// A JSON object that an event of this type accepts, with values of nothing; `None` if that cannot be found out.
    pub(crate) fn shape(&self, event_type: &str) -> Option<String> {
        let own = self.listeners(event_type).next();
        let check = match own {
            Some(index) => self.functions[index].def.check,
            None => linked(event_type)?.check,
        };
        let mut shape = Value::Object(Map::new());
        for _ in 0..MOST {
            let json: Arc<[u8]> = serde_json::to_vec(&shape).ok()?.into();
            let Err(error) = fits(check, event_type, &json) else {
                return serde_json::to_string_pretty(&shape).ok();
            };
            let before = shape.clone();
            if grow(&mut shape, &error.report()).is_none() || shape == before {
                break;
            }
        }
        // As far as it was found out.
        let found = shape.as_object().is_some_and(|fields| !fields.is_empty());
        serde_json::to_string_pretty(&shape).ok().filter(|_| found)
    }
}

/// Adds what an error names.
fn grow(shape: &mut Value, text: &str) -> Option<()> {
    if let Some(field) = between(text, "missing field `", "`") {
        let parent = between(text, "at `", "`").unwrap_or_default();
        let parent = at(shape, parent)?;
        parent
            .as_object_mut()?
            .insert(field.to_owned(), Value::Null);
        return Some(());
    }
    let (_, wanted) = text.split_once(": expected ")?;
    let place = at(shape, between(text, "at `", "`").unwrap_or_default())?;
    *place = of(wanted);
    Some(())
}

/// A value of what was expected, with nothing in it.
fn of(wanted: &str) -> Value {
    let starts = |words: &[&str]| words.iter().any(|word| wanted.starts_with(word));
    if starts(&[
        "a string",
        "a borrowed string",
        "a character",
        "a formatted",
    ]) {
        Value::String(String::new())
    } else if starts(&["a boolean"]) {
        Value::Bool(false)
    } else if starts(&["a sequence", "a tuple", "an array", "tuple struct"]) {
        Value::Array(Vec::new())
    } else if starts(&["struct", "a map"]) {
        Value::Object(Map::new())
    } else {
        Value::from(0)
    }
}

/// The value at a path such as `address.street`.
fn at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let fields = path
        .split('.')
        .filter(|field| !field.is_empty() && *field != "?");
    fields
        .into_iter()
        .try_fold(value, |value, field| value.get_mut(field))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}
