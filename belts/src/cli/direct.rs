//! Runs in a store that this process opens. It registers no worker and claims nothing.

use std::sync::Arc;

use async_trait::async_trait;

use super::place::{Completion, Filters, Place, Sent, Settlement, Stopped};
use crate::{
    clock::{Clock as _, SystemClock, Timestamp},
    environment::ENCRYPTION_KEYS,
    error::{Error, ErrorKind, Result},
    inspect::{
        Exported, Functions, ListRuns, Runs, Schedules,
        shape::{
            Changed, ChangedFunction, Forgotten, ShownCancelled, ShownFunction, ShownPage,
            ShownPurge, ShownRun,
        },
        shown_schedule::{Action, ChangedSchedule, PutSchedule, ShownSchedule},
    },
    seal::Keyring,
    store::{Encrypted, NewEvent, Publish, Reencrypt, RunStatus, SharedStore},
};

pub(super) struct Direct {
    store: SharedStore,
    runs: Runs,
    encrypted: Option<Encrypted>,
}

impl Direct {
    /// Runs in a store, opened with these keys if there are any.
    pub(super) fn new(store: SharedStore, keys: Option<&Keyring>, actor: &str) -> Result<Self> {
        let encrypted = keys.map(|keys| Encrypted::new(Arc::clone(&store), keys));
        let encrypted = encrypted.transpose()?;
        let store = match &encrypted {
            Some(encrypted) => Arc::new(encrypted.clone()),
            None => store,
        };
        let runs = Runs::of(store.clone()).by(format!("belts command, {actor}"));
        Ok(Self {
            store,
            runs,
            encrypted,
        })
    }

    /// The store, with its keys.
    pub(super) fn store(&self) -> SharedStore {
        Arc::clone(&self.store)
    }

    fn narrowed(&self, asked: Filters) -> ListRuns {
        let mut list = self.runs.list().limit(asked.limit);
        for status in RunStatus::ALL {
            if asked.statuses.iter().any(|word| word == status.as_str()) {
                list = list.status(status);
            }
        }
        if let Some(id) = asked.function {
            list = list.function(id);
        }
        if let Some(id) = asked.event {
            list = list.event(id);
        }
        if let Some(id) = asked.parent {
            list = list.parent(id);
        }
        for tag in asked.tags {
            list = list.tag(tag.name, tag.value);
        }
        if let Some(time) = asked.since {
            list = list.since(time);
        }
        if let Some(time) = asked.until {
            list = list.until(time);
        }
        if let Some(mark) = asked.page {
            list = list.after(mark);
        }
        list
    }

    async fn now_stands(&self, id: &str, changed: bool) -> Result<Changed> {
        let status = self.runs.get(id).await?.status;
        Ok(Changed {
            run_id: id.to_owned(),
            changed,
            status,
        })
    }
}

#[async_trait]
impl Place for Direct {
    async fn list(&self, asked: Filters) -> Result<ShownPage> {
        Ok(ShownPage::of(&self.narrowed(asked).await?))
    }

    async fn run(&self, id: &str, values: bool) -> Result<ShownRun> {
        let run = self.runs.get(id).await?;
        let held = self.runs.held_since(&run).await?;
        let run = ShownRun::of(&run, values).with_paused_at(held);
        Ok(run.with_steps(&self.runs.journal(id).await?, values))
    }

    async fn export(&self, id: &str) -> Result<Exported> {
        self.runs.exported(id).await
    }

    async fn cancel(&self, id: &str) -> Result<Changed> {
        let changed = self.runs.cancel(id).await?;
        self.now_stands(id, changed).await
    }

    async fn cancel_some(&self, asked: Filters) -> Result<ShownCancelled, Stopped> {
        let filter = self.narrowed(asked).into_filter();
        let (done, result) = self.runs.cancel_some(filter).await;
        match result {
            Ok(()) => Ok(done.into()),
            Err(error) => Err(Stopped {
                cancelled: done.cancelled,
                next: done.next,
                error,
            }),
        }
    }

    async fn rerun(&self, id: &str, from: Option<&str>) -> Result<Changed> {
        let changed = match from {
            Some(step) => self.runs.rerun_from(id, step).await?,
            None => self.runs.rerun(id).await?,
        };
        self.now_stands(id, changed).await
    }

    async fn purge(&self, before: Timestamp) -> Result<ShownPurge> {
        self.runs.purge_part(before).await.map(ShownPurge::from)
    }

    fn reencrypt(&self) -> Result<Reencrypt> {
        let encrypted = self.encrypted.as_ref().map(Encrypted::reencrypt);
        encrypted.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("there is no key to encrypt with: set {ENCRYPTION_KEYS}"),
            )
        })
    }

    async fn functions(&self) -> Result<Vec<ShownFunction>> {
        let functions = self.runs.functions().await?;
        Ok(functions.iter().map(ShownFunction::of).collect())
    }

    async fn pause(&self, function: &str) -> Result<ChangedFunction> {
        let functions = Functions::with(self.runs.clone());
        Ok(ChangedFunction {
            function_id: function.to_owned(),
            changed: functions.pause(function).await?,
            paused: true,
        })
    }

    async fn resume(&self, function: &str) -> Result<ChangedFunction> {
        let functions = Functions::with(self.runs.clone());
        Ok(ChangedFunction {
            function_id: function.to_owned(),
            changed: functions.resume(function).await?,
            paused: false,
        })
    }

    async fn forget(&self, function: &str) -> Result<Forgotten> {
        let ended = self.runs.forget(function).await?;
        Ok(Forgotten {
            function_id: function.to_owned(),
            cancelled: ended.runs,
        })
    }

    async fn schedules(&self, next: usize) -> Result<Vec<ShownSchedule>> {
        let all = Schedules::with(self.runs.clone()).list().await?;
        Ok(all
            .iter()
            .map(|record| ShownSchedule::of(record, next))
            .collect())
    }

    async fn change_schedule(&self, name: &str, action: Action) -> Result<ChangedSchedule> {
        action.of(&Schedules::with(self.runs.clone()), name).await
    }

    async fn put_schedule(&self, asked: PutSchedule) -> Result<ChangedSchedule> {
        asked.put(&Schedules::with(self.runs.clone())).await
    }

    async fn complete(&self, callback: &Arc<str>, completion: Completion) -> Result<()> {
        let callback = self.runs.callback(Arc::clone(callback));
        match completion {
            Completion::Value(value) => callback.complete_with(&value).await,
            Completion::Failure(message) => callback.fail(message).await,
        }
    }

    async fn settle(&self, run: &str, step: &str, settlement: Settlement) -> Result<()> {
        let step = self.runs.settle(run, step);
        match settlement {
            Settlement::Value(value) => step.value_of(value).await,
            Settlement::Retry => step.retry().await,
            Settlement::Failure(message) => step.fail(message).await,
        }
    }

    async fn publish(&self, event: NewEvent) -> Result<Sent> {
        let request = Publish::new(vec![event], SystemClock.now());
        let published = self.store.publish(request).await?;
        let runs = published.iter().flat_map(|event| &event.runs);
        Ok(Sent {
            duplicate: published.iter().any(|event| event.duplicate),
            runs: Some(
                runs.map(|run| (run.run_id.to_string(), run.function_id.to_string()))
                    .collect(),
            ),
        })
    }
}
