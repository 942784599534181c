//! The suite is no rubber stamp: dispatchers that break a rule are caught by the case of that rule.

use std::{sync::Arc, time::Duration};

use belts::{
    conformance::dispatch::{self, Transport},
    dispatch::{
        Capabilities, Channel, Delivery, Dispatcher, Message, Nack, Receipt, Sent,
        SharedDispatcher, Verdict,
    },
};

/// What a dispatcher does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    LosesWhatIsSent,
    ChangesTheBody,
    ForgetsTheDelay,
    AnswersTooFew,
    TakesReceivingForDone,
    ForgetsAcknowledgements,
    DoesNotExtend,
    HurriesWhatIsPutOff,
    BringsBackWhatIsPutAside,
}

#[derive(Debug)]
struct Flawed(Channel, Flaw);

#[async_trait::async_trait]
impl Dispatcher for Flawed {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn send(&self, mut batch: Vec<Message>) -> belts::Result<Vec<belts::Result<Sent>>> {
        match self.1 {
            Flaw::LosesWhatIsSent => {
                return Ok(batch.iter().map(|_| Ok(Sent::default())).collect());
            }
            Flaw::ChangesTheBody => batch.iter_mut().for_each(|message| {
                message.body = message.body.trim_ascii().into();
            }),
            Flaw::ForgetsTheDelay => batch
                .iter_mut()
                .for_each(|message| message.delay = Duration::ZERO),
            _ => {}
        }
        let mut answers = self.0.send(batch).await?;
        if self.1 == Flaw::AnswersTooFew {
            answers.pop();
        }
        Ok(answers)
    }

    async fn receive(&self, most: usize) -> belts::Result<Vec<Delivery>> {
        let received = self.0.receive(most).await?;
        if self.1 == Flaw::TakesReceivingForDone {
            let receipts = received.iter().map(|delivery| delivery.receipt.clone());
            self.0.ack(receipts.collect()).await?;
        }
        Ok(received)
    }

    async fn extend(&self, receipts: &[Receipt]) -> belts::Result<()> {
        match self.1 {
            Flaw::DoesNotExtend => Ok(()),
            _ => self.0.extend(receipts).await,
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> belts::Result<()> {
        match self.1 {
            Flaw::ForgetsAcknowledgements => Ok(()),
            _ => self.0.ack(receipts).await,
        }
    }

    async fn nack(&self, mut refused: Vec<Nack>) -> belts::Result<()> {
        for nack in &mut refused {
            match (self.1, nack.verdict) {
                (Flaw::HurriesWhatIsPutOff, _) => nack.verdict = Verdict::Later(Duration::ZERO),
                (Flaw::BringsBackWhatIsPutAside, Verdict::PutAside) => {
                    nack.verdict = Verdict::Later(Duration::from_millis(500));
                }
                _ => {}
            }
        }
        self.0.nack(refused).await
    }
}

struct Forged(Channel, Flaw);

#[async_trait::async_trait]
impl Transport for Forged {
    async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
        Ok(Arc::new(Flawed(self.0.clone(), self.1)))
    }
}

/// Whether the case finds the flaw.
async fn is_caught(case: &'static str, flaw: Flaw) -> bool {
    let forged = Forged(Channel::new(Duration::from_millis(500)), flaw);
    let trial = tokio::spawn(async move { dispatch::run(case, forged).await });
    // The case panics where it finds what is wrong, and nobody has to read that here; or it waits for what never comes, three
    // times as long as it may take.
    let passed = tokio::time::timeout(Duration::from_secs(10), trial).await;
    !matches!(passed, Ok(Ok(())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flaw_is_caught_by_its_case() {
    let flaws = [
        (Flaw::LosesWhatIsSent, "what_was_sent_arrives"),
        (Flaw::ChangesTheBody, "body_arrives_as_sent"),
        (Flaw::ForgetsTheDelay, "delay_is_kept"),
        (Flaw::AnswersTooFew, "batch_is_answered_in_order"),
        (Flaw::TakesReceivingForDone, "unacknowledged_comes_again"),
        (Flaw::TakesReceivingForDone, "dropped_receive_loses_nothing"),
        (Flaw::ForgetsAcknowledgements, "acknowledged_is_gone"),
        (Flaw::DoesNotExtend, "visible_to_one_receiver"),
        (Flaw::HurriesWhatIsPutOff, "put_off_comes_later"),
        (Flaw::BringsBackWhatIsPutAside, "put_aside_is_gone"),
    ];
    let trials = flaws.map(|(flaw, case)| async move { (flaw, case, is_caught(case, flaw).await) });
    for (flaw, case, caught) in futures_util::future::join_all(trials).await {
        assert!(caught, "{case} does not see {flaw:?}");
    }
}
