//! The command `settle`.

use serde::Serialize;

use super::{
    args::SettleArgs,
    place::{Place, Settlement},
    print::{self, Out},
    publish::read,
    wrong::Wrong,
};

#[derive(Serialize)]
struct Shown {
    settled: bool,
}

pub(super) async fn settle(place: &dyn Place, asked: SettleArgs, out: Out) -> Result<(), Wrong> {
    let settlement = match (asked.value, asked.retry, asked.fail) {
        (Some(given), false, None) => {
            let json = read(&given, "value")?;
            let value = serde_json::from_slice(&json).map_err(|error| {
                Wrong::usage(format!(
                    "the value must be JSON: {error}; a text needs quotes, as in `'\"paid\"'`"
                ))
            })?;
            Settlement::Value(value)
        }
        (None, true, None) => Settlement::Retry,
        (None, false, Some(message)) => Settlement::Failure(message),
        // clap takes one of them.
        _ => {
            return Err(Wrong::usage(
                "give `--value JSON`, `--retry` or `--fail TEXT`",
            ));
        }
    };
    place.settle(&asked.id, &asked.step, settlement).await?;
    if out.json {
        return print::object(&Shown { settled: true });
    }
    print::write("settled\n")
}
