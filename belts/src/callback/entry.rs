//! What a program knows of its callbacks before it runs.

use std::{any::type_name, fmt};

use serde::de::DeserializeOwned;

use super::{
    completion::read,
    page::{Page, choices},
};
use crate::{
    error::{Error, ErrorKind, Result},
    panic,
    run::Location,
    store::CALLBACK,
};

/// Asks for the names of an enum's variants.
type Choices = fn() -> Result<Vec<&'static str>, String>;

/// What completes a callback.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot complete a callback",
    label = "cannot be read from JSON, or is not `Send + Sync + 'static`",
    note = "`{Self}` needs `#[derive(serde::Deserialize)]`, no borrowed fields, and must be `Send + Sync`"
)]
pub trait CallbackValue: DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send + Sync + 'static> CallbackValue for T {}

fn fits<T: CallbackValue>(json: &[u8]) -> Result<(), String> {
    read::<T>(json).map(drop)
}

/// A `callback!` of the program, submitted at link time.
#[derive(Clone, Copy)]
pub struct CallbackEntry {
    /// The name of the type that completes it.
    pub(crate) type_name: fn() -> &'static str,
    /// Whether JSON is a value of that type; if not, why.
    fits: fn(&[u8]) -> Result<(), String>,
    /// What a person may choose from, where it has a page.
    choices: Option<Choices>,
    /// Where it is written.
    location: Location,
}

impl fmt::Debug for CallbackEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackEntry")
            .field("type_name", &(self.type_name)())
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

inventory::collect!(CallbackEntry);

impl CallbackEntry {
    /// The types of the events that complete callbacks.
    pub const TYPES: &'static [&'static str] = &[CALLBACK];

    /// A callback that is completed with a `T`.
    pub const fn of<T: CallbackValue>(location: Location, has_page: bool) -> Self {
        Self {
            type_name: type_name::<T>,
            fits: fits::<T>,
            choices: if has_page { Some(choices::<T>) } else { None },
            location,
        }
    }

    /// A page with this question.
    ///
    /// # Errors
    /// There is nothing to choose from.
    pub(crate) fn page(&self, text: String) -> Result<Page> {
        let choices = self.chosen().map_err(|why| self.no_choices(&why))?;
        Ok(Page {
            text,
            choices: choices.into_iter().map(str::to_owned).collect(),
        })
    }

    fn no_choices(&self, why: &str) -> Error {
        let Location { file, line, .. } = self.location;
        Error::new(
            ErrorKind::Config,
            format!(
                "the `callback!` at {file}:{line} has a `page`, but `{}` {why}; a page needs an enum whose variants have no fields, \
                 one button each",
                (self.type_name)()
            ),
        )
    }

    fn reads(&self, json: &[u8]) -> Result<(), String> {
        let what = format!("to read a `{}`", (self.type_name)());
        let mut answer = None;
        let asked = panic::catch(&what, || {
            answer = Some((self.fits)(json));
            Ok(())
        });
        if let Err(error) = asked {
            // What it says may hold the value, which is not for whoever sent it.
            tracing::error!(error = %error.report(), "the type of a callback panicked");
        }
        answer.unwrap_or_else(|| Err("cannot be read".to_owned()))
    }

    /// What there is to choose from.
    fn chosen(&self) -> Result<Vec<&'static str>, String> {
        let Some(choices) = self.choices else {
            return Ok(Vec::new());
        };
        let mut answer = None;
        let what = format!("to ask `{}` for its variants", (self.type_name)());
        let asked = panic::catch(&what, || {
            answer = Some(choices());
            Ok(())
        });
        answer.unwrap_or_else(|| {
            Err(asked.map_or_else(|error| error.to_string(), |()| String::new()))
        })
    }

    fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Whether JSON is a value of the type of this name, as far as this program knows it.
    pub(crate) fn fits(type_name: &str, json: &[u8]) -> Result<(), String> {
        // Two types may have one name.
        let mut known = Self::all().filter(|entry| (entry.type_name)() == type_name);
        let Some(first) = known.next() else {
            return Ok(());
        };
        match first.reads(json) {
            Err(_) if known.any(|entry| entry.reads(json).is_ok()) => Ok(()),
            other => other,
        }
    }

    /// Whether each page has something to choose from.
    ///
    /// # Errors
    /// It names the callback that has not.
    pub(crate) fn check_pages() -> Result<()> {
        for entry in Self::all() {
            if let Err(why) = entry.chosen() {
                return Err(entry.no_choices(&why));
            }
        }
        Ok(())
    }
}
