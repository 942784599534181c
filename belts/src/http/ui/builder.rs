//! The dashboard's settings of a worker.

use std::sync::Arc;

use axum::http::request::Parts;

use super::options::Access;
use crate::worker::WorkerBuilder;

impl WorkerBuilder {
    /// Decides who may use the dashboard, in place of the inspection token: for applications with a sign-in of their own.
    ///
    /// It is asked at each request to the [dashboard](crate::Worker::dashboard), and alone decides. If it panics, the request is
    /// denied. The inspection routes are not concerned. Whom it lets in is named in the record of a change by the header
    /// `x-belts-actor`, which the application may set and must not let through from outside.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// use belts::http::Access;
    /// /// What the sign-in of the application has put into the request.
    /// #[derive(Clone)]
    /// struct Admin { may_change: bool }
    ///
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only();
    /// let worker = builder
    ///     .access(|request| match request.extensions.get::<Admin>() {
    ///         Some(admin) if admin.may_change => Access::Operate,
    ///         Some(_) => Access::Read,
    ///         None => Access::Denied,
    ///     })
    ///     .build()
    ///     .await?;
    /// let app: axum::Router = axum::Router::new().nest_service("/admin/belts", worker.dashboard());
    /// # drop(app);
    /// # Ok(()) }
    /// ```
    pub fn access(mut self, access: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Self {
        self.http.ui.access = Some(Arc::new(access));
        self
    }

    /// Keeps the dashboard from showing the values of these fields, wherever they stand in an event, a result, a failure or a
    /// progress: it says `"[redacted]"` in their place. Capitals, `_` and `-` do not count, so that `card_number` is `cardNumber` too.
    ///
    /// What stands in the text of an error is shown as it is. The inspection routes are not concerned.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only();
    /// let worker = builder.redact(["password", "card_number"]).build().await?;
    /// # drop(worker);
    /// # Ok(()) }
    /// ```
    pub fn redact<N: AsRef<str>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.http.ui.hidden.add(fields);
        self
    }
}
