//! Replaying an exported run against the code of a test.

use std::{sync::Arc, time::Duration};

use super::Harness;
use crate::{
    error::Result,
    function::{self, Function},
    inspect::Exported,
    registry::Registry,
    worker::{Verdict, apart, rehearse},
};

/// The longest that a function may do something outside of its steps.
const TIME_LIMIT: Duration = Duration::from_secs(5);

impl Harness {
    /// Replays a run that was [exported](crate::Runs::export) against this function: what it has recorded comes back, no step is run,
    /// and nothing is written. So a run of production that once broke stays a test.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, sleep, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> {
    ///     let length = step!("count", signup.email.len()).await?;
    ///     sleep!("pause", "3d").await?;
    ///     step!("mail", length).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// // By `belts export RUN > tests/runs/welcome.json`, from the store in which it is.
    /// let json = r#"{"belts":1,"runId":"r-1","functionId":"welcome","eventId":"e-1","eventType":"signup","status":"suspended",
    ///     "failedAttempts":0,"startedAt":1700000000000,"exportedAt":1700000001000,"event":{"email":"ada@example.com"},
    ///     "journal":[{"seq":0,"path":"count","kind":"step","state":"completed","type":"usize","value":{"v":1,"ok":15},"attempts":1,
    ///         "startedAt":1700000000000}]}"#;
    /// let harness = Harness::new().await?;
    /// let replayed = harness.replay(json, welcome).await?;
    /// replayed.assert_fits();
    /// assert_eq!(replayed.begins().collect::<Vec<_>>(), ["pause"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The text is no exported run, or one of a later version.
    pub async fn replay<M, F: Function<M>>(&self, json: &str, function: F) -> Result<Replayed> {
        let exported = Exported::read(json)?;
        let registry = Registry::of([function::of(function)])?;
        let (run_id, now) = (Arc::clone(exported.run_id()), exported.exported_at());
        let worker = self.worker();
        let claimed = exported.into_claimed();
        let shared = Arc::clone(worker.shared());
        let verdict = apart(TIME_LIMIT, async move {
            let registered = registry.functions().first()?;
            let rehearsed = rehearse(&shared, registered, claimed, now, TIME_LIMIT).await;
            Some(Verdict::of(registered.def, rehearsed, None).settled(|_| false))
        });
        let verdict = verdict.await?.flatten();
        Ok(Replayed {
            run_id,
            verdict: verdict.unwrap_or_else(Verdict::hanging),
        })
    }
}

/// What the replay of a run has shown.
#[derive(Debug)]
pub struct Replayed {
    run_id: Arc<str>,
    verdict: Verdict,
}

impl Replayed {
    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Why the run would not go on with this code; none if it would.
    pub fn fails(&self) -> impl Iterator<Item = &str> {
        self.verdict.fails.iter().map(String::as_str)
    }

    /// The paths of what is recorded and would be ignored, since the code does not ask for it.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        self.verdict.ignored.iter().map(|path| &**path)
    }

    /// The paths of the steps that the run would begin.
    pub fn begins(&self) -> impl Iterator<Item = &str> {
        self.verdict.begins.iter().map(|path| &**path)
    }

    /// The paths of what is recorded and was not tried: the code asks for a step first that the run has not recorded. Export such a run
    /// anew, or what the test says is little.
    pub fn untried(&self) -> impl Iterator<Item = &str> {
        self.verdict.behind.iter().map(|path| &**path)
    }

    /// What else is worth knowing.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.verdict.notes.iter().map(String::as_str)
    }

    /// Asserts that the run would go on with this code, as far as that was [tried](Self::untried).
    ///
    /// # Panics
    /// It would not; the message says why.
    #[track_caller]
    pub fn assert_fits(&self) -> &Self {
        let fails: Vec<_> = self.fails().collect();
        assert!(
            fails.is_empty(),
            "the run `{}` would not go on with this code: {}",
            self.run_id,
            fails.join("; ")
        );
        self
    }
}
