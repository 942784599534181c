//! Settles a delivery: extends, acknowledges or postpones it, or sets it aside.

use super::{Nack, Receipt, Redis, script, send::millis};
use crate::{
    dispatch::Verdict,
    error::Result,
    redis::error::{Fault, word},
};

/// The most deliveries of one script, since others wait meanwhile.
const BATCH: usize = 500;

/// A parsed receipt: it distinguishes this delivery of the message from later ones.
struct Held<'a> {
    id: &'a str,
    /// How often the group was given the entry.
    times: &'a str,
    consumer: &'a str,
}

impl<'a> Held<'a> {
    /// Parses a receipt; one of another kind of dispatcher means nothing here.
    fn read(receipt: &'a Receipt) -> Option<Self> {
        let mut parts = receipt.as_str().splitn(3, ' ');
        let (id, times, consumer) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (millis, number) = id.split_once('-')?;
        let is_ours = is_number(millis) && is_number(number) && is_number(times);
        is_ours.then_some(Self {
            id,
            times,
            consumer,
        })
    }
}

impl Redis {
    pub(super) async fn extend_held(&self, receipts: &[Receipt]) -> Result<()> {
        let held: Vec<_> = receipts.iter().filter_map(Held::read).collect();
        for some in held.chunks(BATCH) {
            let build = || {
                let mut call = self.call(&script::EXTEND);
                call.arg(&self.inner.group);
                for held in some {
                    call.arg(held.id).arg(held.times).arg(held.consumer);
                }
                call
            };
            self.settled(self.run(build).await)?;
        }
        Ok(())
    }

    pub(super) async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        let held = receipts.iter().filter_map(Held::read);
        let ids: Vec<_> = held.map(|held| held.id).collect();
        self.acknowledge_ids(&ids).await
    }

    pub(super) async fn acknowledge_ids(&self, ids: &[&str]) -> Result<()> {
        for some in ids.chunks(BATCH) {
            let build = || {
                let mut call = self.call(&script::ACK);
                call.arg(&self.inner.group).arg(some);
                call
            };
            self.settled(self.run(build).await)?;
        }
        Ok(())
    }

    pub(super) async fn give_back(&self, refused: &[Nack]) -> Result<()> {
        let held: Vec<_> = refused
            .iter()
            .filter_map(|nack| Some((nack, Held::read(&nack.receipt)?)))
            .collect();
        let delays = held.iter().filter_map(|(nack, _)| match nack.verdict {
            Verdict::Later(delay) => Some(delay),
            Verdict::PutAside => None,
        });
        if let Some(longest) = delays.max() {
            self.rounds().handed_on(longest);
        }
        for some in held.chunks(BATCH) {
            let build = || {
                let mut call = self.call(&script::NACK);
                call.arg(&self.inner.group).arg(self.inner.dead_letters);
                for (nack, held) in some {
                    let delay = match nack.verdict {
                        Verdict::Later(delay) => millis(delay).to_string(),
                        Verdict::PutAside => String::new(),
                    };
                    call.arg(held.id).arg(held.times).arg(held.consumer);
                    call.arg(delay).arg(&nack.reason);
                }
                call
            };
            self.settled(self.run(build).await)?;
        }
        Ok(())
    }

    /// Without the group, as after `FLUSHALL`, nobody holds anything.
    fn settled(&self, answer: Result<redis::Value, Fault>) -> Result<()> {
        match answer {
            Err(Fault::Redis(error)) if word(&error) == "NOGROUP" => Ok(()),
            Err(fault) => Err(self.error(fault)),
            Ok(_) => Ok(()),
        }
    }
}
