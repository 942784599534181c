//! What a function says its run is about.

use std::{
    fmt::Display,
    future::{Future, pending, poll_fn},
    sync::Arc,
    task::Poll,
};

use super::{
    context::Context,
    current::{CURRENT_ARM, CURRENT_STEP},
    progress::belongs_here,
    races::Arm,
    run::LiveRun,
};
use crate::{
    error::{Error, ErrorKind, Result},
    store::Tag,
};

impl Context {
    /// Says what the run is about, so that it is found by it: with `belts runs --tag customer=c-17`, `GET /runs?tag=customer%3Dc-17`
    /// and [`RunFilter::with_tag`](crate::store::RunFilter::with_tag). It is durable when this returns.
    ///
    /// A run may have several values under one name. To add one that it has already changes nothing, so it does no harm that a run
    /// which resumes says it again. Tags stay with the run when it ends and when it is rerun, and go when it is purged. See
    /// [the guide](crate::guide::progress#tags).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Context, Event, Worker, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ordered { id: String, customer: String }
    ///
    /// #[belts::function(id = "ship", on = Ordered)]
    /// async fn ship(order: Ordered, cx: Context) -> belts::Result<()> {
    ///     cx.tag("customer", &order.customer).await?;
    ///     cx.tag("order", &order.id).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let order = Ordered { id: "o-17".into(), customer: "c-4".into() };
    /// ship(order).via(&worker).start().await?.result().await?;
    /// let found = worker.runs().list().tag("customer", "c-4").await?;
    /// assert_eq!(found.runs[0].tags[1].to_string(), "order=o-17");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`Config`](ErrorKind::Config) if the name is empty, has more than [64 bytes](Tag::MAX_NAME), a `=` or a control
    /// character in it; if the value has more than [256 bytes](Tag::MAX_VALUE) or a control character in it; if the run has
    /// [50 tags](Tag::MOST) already; if the store keeps no tags; and outside of the run, as on a task that it has spawned.
    pub fn tag<V: Display>(
        &self,
        name: &str,
        value: V,
    ) -> impl Future<Output = Result<()>> + Send + use<V> {
        let run = Arc::clone(&self.run);
        let tag = checked(name, &value.to_string());
        async move {
            let tag = tag?;
            belongs_here(&run, "`tag` is called")?;
            if run.is_replayed() && CURRENT_STEP.try_with(|_| ()).is_err() {
                return Ok(());
            }
            run.add_tag(tag).await
        }
    }
}

fn checked(name: &str, value: &str) -> Result<Tag> {
    let refuse = |text: String| Err(Error::new(ErrorKind::Config, text));
    if name.is_empty()
        || name.len() > Tag::MAX_NAME
        || name.contains(['=', '\0'])
        || has_control(name)
    {
        let name = name.escape_debug();
        let most = Tag::MAX_NAME;
        return refuse(format!(
            "`{name}` is no name of a tag: it has 1 to {most} bytes, and neither `=` nor control characters"
        ));
    }
    if value.len() > Tag::MAX_VALUE {
        let (size, most) = (value.len(), Tag::MAX_VALUE);
        return refuse(format!(
            "the value of the tag `{name}` has {size} bytes, over the limit of {most}: tag the run with an id"
        ));
    }
    if has_control(value) {
        return refuse(format!(
            "the value of the tag `{name}` has a control character in it, so it could not be shown or searched for in a line"
        ));
    }
    Ok(Tag::new(name, value))
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

impl LiveRun {
    async fn add_tag(self: &Arc<Self>, tag: Tag) -> Result<()> {
        if !self.host.keeps.tags {
            let text = "the store keeps no tags";
            return Err(Error::new(ErrorKind::Config, text));
        }
        let arm = CURRENT_ARM.try_with(Clone::clone).ok();
        // Under way until it is durable: the run does not leave memory meanwhile.
        let _active = self.activate();
        self.know_tags().await;
        if arm.as_ref().is_some_and(Arm::has_lost) {
            return pending().await;
        }
        self.leave_tag(&tag)?;
        poll_fn(|cx| {
            let mut state = self.state();
            if state.tags.get(&tag) == Some(&true) {
                return Poll::Ready(());
            }
            let watching = &mut state.watching;
            if !watching.iter().any(|known| known.will_wake(cx.waker())) {
                watching.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        Ok(())
    }

    /// Asks for the tags that the run has from before this drive, once: they count, and need not be added again.
    async fn know_tags(&self) {
        if self.state().knows_tags {
            return;
        }
        match self.host.store.run(&self.run_id).await {
            Ok(run) => {
                let tags = run.map(|run| run.tags).unwrap_or_default();
                let mut state = self.state();
                state.knows_tags = true;
                state.tags.extend(tags.into_iter().map(|tag| (tag, true)));
            }
            // The run is given back, and goes on when the store answers.
            Err(error) => {
                self.state().end(error);
                pending::<()>().await;
            }
        }
    }

    /// Leaves a tag to be recorded, unless the run has it.
    fn leave_tag(&self, tag: &Tag) -> Result<()> {
        let mut state = self.state();
        if state.tags.contains_key(tag) {
            return Ok(());
        }
        if state.tags.len() == Tag::MOST {
            let text = format!(
                "the run has {} tags already; a value for each row of a loop is no tag",
                Tag::MOST
            );
            return Err(Error::new(ErrorKind::Config, text));
        }
        state.tags.insert(tag.clone(), false);
        state.outbox.tags.push(tag.clone());
        state.wake_driver();
        Ok(())
    }

    /// Says that these tags are durable.
    pub(crate) fn have_tags(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let mut state = self.state();
        for tag in tags {
            state.tags.insert(tag.clone(), true);
        }
        let watching = std::mem::take(&mut state.watching);
        drop(state);
        watching.into_iter().for_each(std::task::Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_of_tags_fit_into_a_line() {
        let long = "x".repeat(65);
        for name in ["", "a=b", "a\nb", "a\0", &long] {
            let error = checked(name, "1").expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        for value in ["a\nb", "\u{7f}", &"x".repeat(257)] {
            let error = checked("customer", value).expect_err(value);
            assert!(error.to_string().contains("`customer`"), "{error}");
        }
        for value in ["", "a=b", "é ü", &"x".repeat(256)] {
            let tag = checked("customer", value).expect(value);
            assert_eq!(Tag::parse(&tag.to_string()), Some(tag));
        }
    }
}
