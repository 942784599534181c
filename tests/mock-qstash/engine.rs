//! Drives the book: waits for what is due, sends it, and hands back the answers.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use reqwest::{Client, redirect};
use tokio::{
    sync::{Notify, watch},
    time::sleep_until,
};

use super::{
    book::{Attempt, Book, Outcome, Parcel},
    inspect::Answer,
    settings::Settings,
    time::now,
};

/// The book, and who waits for changes of it.
#[derive(Debug)]
pub(crate) struct Engine {
    book: Mutex<Book>,
    wake: Notify,
    changes: watch::Sender<()>,
    client: Client,
}

impl Engine {
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        Ok(Self {
            book: Mutex::new(Book::new(settings)),
            wake: Notify::new(),
            changes: watch::Sender::new(()),
            client: client.map_err(io::Error::other)?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks something up.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.lock())
    }

    /// Changes something, and tells whoever waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let result = change(&mut self.lock());
        self.wake.notify_one();
        self.changes.send_replace(());
        result
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Delivers until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let (attempts, wake) = self.lock().start(now());
            if !attempts.is_empty() {
                self.changes.send_replace(());
            }
            for attempt in attempts {
                tokio::spawn(Arc::clone(&self).deliver(attempt));
            }
            match wake {
                Some(wake) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = sleep_until(wake) => {}
                },
                None => self.wake.notified().await,
            }
        }
    }

    async fn deliver(self: Arc<Self>, attempt: Attempt) {
        let mut outcomes = Vec::new();
        match attempt.parcels.as_slice() {
            [first, second] if attempt.at_once => {
                let (first, second) =
                    tokio::join!(self.send(&attempt, first), self.send(&attempt, second));
                outcomes.extend([first, second]);
            }
            parcels => {
                for parcel in parcels {
                    outcomes.push(self.send(&attempt, parcel).await);
                }
            }
        }
        self.change(|book| book.finish(attempt.number, outcomes, attempt.lose_answer));
    }

    async fn send(&self, attempt: &Attempt, parcel: &Parcel) -> Outcome {
        let sent = now();
        let answer = self.answer(attempt, parcel).await;
        Outcome {
            headers: parcel.headers.clone(),
            body: parcel.body.clone(),
            sent,
            answered: now(),
            answer: answer.map_err(|error| chain(&error)),
        }
    }

    async fn answer(&self, attempt: &Attempt, parcel: &Parcel) -> reqwest::Result<Answer> {
        let request = self.client.request(attempt.method.clone(), &attempt.url);
        let request = request
            .headers(parcel.headers.clone())
            .timeout(attempt.timeout)
            .body(parcel.body.clone());
        let mut response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: start_of(&mut response).await?,
        })
    }
}

/// The first mebibyte of the body; the rest is read too, since an answer is only whole with it.
async fn start_of(response: &mut reqwest::Response) -> reqwest::Result<Bytes> {
    const LONGEST: usize = 1 << 20;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LONGEST.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(body.into())
}

/// The error with its causes: that a connection was refused stands at the end.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
