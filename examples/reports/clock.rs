//! A clock that another process moves, a line of standard input at a time.

use std::{future::Future, pin::Pin};

use belts::{Clock, Timestamp};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::watch,
};

#[derive(Debug, Clone)]
pub(crate) struct Told(watch::Receiver<i64>);

impl Told {
    /// Stands at this moment, in milliseconds, until it is told another one.
    pub(crate) fn new(millis: i64) -> Self {
        let (sender, receiver) = watch::channel(millis);
        tokio::spawn(async move {
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(millis) = line.parse() {
                    sender.send_replace(millis);
                }
            }
        });
        Self(receiver)
    }
}

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.0.borrow())
    }

    fn sleep_until<'a, 'b>(
        &'a self,
        deadline: Timestamp,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
    {
        let mut told = self.0.clone();
        Box::pin(async move {
            let reached = |now: &i64| *now >= deadline.as_millis();
            let has_gone = told.wait_for(reached).await.is_err();
            if has_gone {
                // Whoever moved it has gone.
                std::future::pending::<()>().await;
            }
        })
    }
}
