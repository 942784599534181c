//! What user code can do to the engine, by the smallest means.

use std::{error::Error as StdError, fmt, future::Future, panic, pin::Pin, task::Poll};

use super::{shown::MOST_TEXT, *};

/// Panics when it is shown, asked and dropped, as far as it is told to.
#[derive(Debug, Default)]
struct Bad {
    shows: Option<&'static str>,
    has_itself: bool,
    has_none: bool,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shows {
            Some("") => Err(fmt::Error),
            Some("endless") => loop {
                f.write_str("again and again ")?;
            },
            Some(text) => f.write_str(text),
            None => {
                f.write_str("half")?;
                panic!("no text")
            }
        }
    }
}

impl StdError for Bad {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match (self.has_itself, self.has_none) {
            (true, _) => Some(self),
            (_, true) => None,
            _ => panic!("no source"),
        }
    }
}

/// Is ready at once, and panics when it is dropped; or panics at once.
struct Falls {
    ready: bool,
}

impl Future for Falls {
    type Output = Result<u32>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<u32>> {
        assert!(self.ready, "not ready");
        Poll::Ready(Ok(7))
    }
}

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_text_is_written_whatever_its_display_does() {
    let shown = |shows| {
        let bad = Bad {
            shows,
            has_none: true,
            ..Bad::default()
        };
        text(&bad, false)
    };
    assert_eq!(shown(Some("plain")), "plain");
    // Whether the place of a panic is known depends on what else runs in this process.
    assert!(shown(None).starts_with("half (its `Display` panicked: no text"));
    assert_eq!(
        shown(Some("")),
        "an error without a text (its `Display` failed)"
    );
    let endless = shown(Some("endless"));
    assert!(endless.ends_with(" … (cut off)") && endless.len() < 2 * MOST_TEXT);
}

#[test]
fn a_chain_of_errors_has_an_end() {
    let itself = Error::from_any(Bad {
        shows: Some("again"),
        has_itself: true,
        ..Bad::default()
    });
    // A wrapper that says what its source says is written once.
    assert_eq!(itself.report(), "again");
    assert_eq!(chain(&itself).count(), MOST_LINKS);
    let asked = Error::from_any(Bad {
        shows: Some("asked"),
        ..Bad::default()
    });
    assert_eq!(
        (asked.report().as_str(), asked.retry_after()),
        ("asked", None)
    );
}

#[tokio::test]
async fn a_future_is_polled_and_dropped_without_harm() {
    assert_eq!(
        catch_future(Falls { ready: true }).await.expect("a value"),
        7
    );
    let error = catch_future(Falls { ready: false })
        .await
        .expect_err("a panic");
    assert!(error.to_string().starts_with("panicked: not ready"));
    drop(Held::new(Falls { ready: true }));
}

#[test]
fn what_a_panic_carries_may_panic_too() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic::panic_any(Self);
        }
    }
    let error = catch("it", || -> Result<()> { panic::panic_any(Payload) }).expect_err("a panic");
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(quiet(|| -> () { panic::panic_any(Payload) }), None);
}
