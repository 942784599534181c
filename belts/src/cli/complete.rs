//! The command `complete`.

use std::sync::Arc;

use serde::Serialize;

use super::{
    args::CompleteArgs,
    place::{Completion, Place},
    print::{self, Out},
    publish::read,
    wrong::Wrong,
};

#[derive(Serialize)]
struct Shown {
    completed: bool,
}

pub(super) async fn complete(
    place: &dyn Place,
    asked: CompleteArgs,
    out: Out,
) -> Result<(), Wrong> {
    let completion = match (asked.value, asked.fail) {
        (Some(given), None) => {
            let json = read(&given, "value")?;
            let value = serde_json::from_slice(&json).map_err(|error| {
                Wrong::usage(format!(
                    "the value must be JSON: {error}; a text needs quotes, as in `'\"approve\"'`"
                ))
            })?;
            Completion::Value(value)
        }
        (None, Some(message)) => Completion::Failure(message),
        // clap takes one of them.
        _ => return Err(Wrong::usage("give a value as JSON, or `--fail TEXT`")),
    };
    place.complete(&Arc::from(asked.id), completion).await?;
    if out.json {
        return print::object(&Shown { completed: true });
    }
    print::write("completed\n")
}
