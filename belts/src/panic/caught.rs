//! What a panic says, and that it goes no further.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::place;

/// Calls user code that has nothing to say about its panic.
pub(crate) fn quiet<T>(code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            forget(payload);
            None
        }
    }
}

pub(super) fn panicked(what: &str, payload: Box<dyn Any + Send>) -> String {
    let text = place::text_of(&*payload);
    forget(payload);
    let place = place::take(text.as_deref()).map(|place| format!(", at {place}"));
    let (text, place) = (text.as_deref(), place.as_deref());
    let space = if what.is_empty() { "" } else { " " };
    format!(
        "{what}{space}panicked: {}{}",
        text.unwrap_or("with a value that is not text"),
        place.unwrap_or_default()
    )
}

/// Drops what a panic carried, which may panic in turn.
pub(super) fn forget(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
