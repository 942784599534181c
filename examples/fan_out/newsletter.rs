//! The functions: one that calls another for each reader.

use std::time::Duration;

use belts::{Event, call, step};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

/// Of a mail server that is far away.
const LATENCY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct NewsletterDue {
    pub(crate) readers: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct LetterDue {
    reader: u32,
}

/// What became of the letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) completed: usize,
    pub(crate) failed: usize,
}

#[belts::function(id = "send-newsletter", on = NewsletterDue)]
pub(crate) async fn send_newsletter(newsletter: NewsletterDue) -> belts::Result<Sent> {
    let letters = (0..newsletter.readers)
        .map(|reader| call!("letter-{reader}", send_letter(LetterDue { reader })));
    // All of them, whatever becomes of each; `try_join_all` would stop at the first that fails.
    let letters = join_all(letters).await;
    let failed = letters.iter().filter(|letter| letter.is_err()).count();
    step!(
        "sum-up",
        Sent {
            completed: letters.len() - failed,
            failed
        }
    )
    .await
}

#[belts::function(id = "send-letter", on = LetterDue, retries = 0)]
async fn send_letter(letter: LetterDue) -> belts::Result<()> {
    step!("send", send(letter.reader)).await
}

/// Every twentieth address is wrong, which no retry mends.
#[expect(clippy::disallowed_methods, reason = "it stands for a mail server")]
async fn send(reader: u32) -> belts::Result<()> {
    tokio::time::sleep(LATENCY).await;
    if reader % 20 == 7 {
        return Err(belts::terminal(format!(
            "reader {reader} has no such address"
        )));
    }
    Ok(())
}
