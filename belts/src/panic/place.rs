//! Where a panic happened, which only a hook is told.
//!
//! The hook that notes it is put before the one that is there, and hands everything on: what that prints or reports is as before.
//! A program that sets another one later takes ours away, and its panics are recorded without a place.

use std::{
    cell::RefCell,
    panic::{self, PanicHookInfo},
    sync::Once,
    thread,
};

thread_local! {
    /// The last panic of this thread.
    static LAST: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

struct Noted {
    text: Option<String>,
    place: String,
}

/// Has panics note their place from here on.
pub(crate) fn note_places() {
    static HOOKED: Once = Once::new();
    // Whoever panics may not change the hook.
    if HOOKED.is_completed() || thread::panicking() {
        return;
    }
    HOOKED.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            others(info);
        }));
    });
}

/// Nothing in here may panic.
fn note(info: &PanicHookInfo<'_>) {
    let Some(place) = info.location() else {
        return;
    };
    let noted = Noted {
        text: text_of(info.payload()),
        place: place.to_string(),
    };
    // At the end of its thread there is nothing to note it in, and nobody to ask.
    let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| last.replace(noted)));
}

/// Where the panic with this text happened, if that was the last one of this thread. One that was carried here from another
/// thread, or was caught by the user and goes on, is not known by its place.
pub(super) fn take(text: Option<&str>) -> Option<String> {
    let last = LAST.try_with(|last| last.try_borrow_mut().ok()?.take());
    let noted = last.ok()??;
    (noted.text.as_deref() == text).then_some(noted.place)
}

/// What a panic says, where that is text.
pub(super) fn text_of(payload: &(dyn std::any::Any + Send)) -> Option<String> {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
}
