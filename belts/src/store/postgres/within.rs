//! Publishing on a connection of somebody else's, in whatever transaction that is.

use std::sync::Arc;

use sqlx::{PgConnection, postgres::PgBindIterExt as _};

use super::{
    Postgres, database::Database, error::Fault, rows::Columns, sql::Parameters, text::to_column,
};
use crate::{
    error::{Error, ErrorKind, Result},
    store::{NewEvent, PublishedEvent, PublishedRun, Target, Timestamp, transactions::Within},
};

impl Postgres {
    /// Publishes events in the transaction of a connection, in one statement. The answers stand in the order of the events; there is
    /// none for one that must start something and does not, of which nothing was written.
    ///
    /// # Errors
    /// The transaction is on another database, has no right to publish, or has failed. The server's own error is the source.
    pub(crate) async fn publish_within(
        &self,
        connection: &mut PgConnection,
        events: &[Within],
        now: Timestamp,
    ) -> Result<Vec<Option<PublishedEvent>>> {
        let database = &*self.inner.database;
        // Whoever publishes several waits for others in the order of their ids.
        let mut sorted: Vec<usize> = (0..events.len()).collect();
        sorted.sort_by(|a, b| events[*a].event.id.cmp(&events[*b].event.id));
        let statement = database.sql.publish_within.sql();
        let parameters = parameters(&database.identity, events, &sorted, now).arguments();
        let parameters = self.answer(parameters)?;
        let rows = sqlx::query_with(statement, parameters)
            .fetch_all(connection)
            .await
            .map_err(|error| refused(database, error))?;
        let mut answers = vec![None; events.len()];
        for row in &rows {
            let columns = Columns(row);
            let (place, answer) = self.answer(read(columns, events, &sorted))?;
            answers[place] = answer;
        }
        Ok(answers)
    }
}

fn parameters(identity: &str, events: &[Within], sorted: &[usize], now: Timestamp) -> Parameters {
    let within = || sorted.iter().map(|index| &events[*index]);
    let each = || within().map(|within| &within.event);
    let left_out: Vec<(i32, &Arc<str>)> = (1..)
        .zip(each())
        .flat_map(|(place, event)| except(event).iter().map(move |function| (place, function)))
        .collect();
    let maybe = |text: &Option<Arc<str>>| text.as_deref().map(|text| to_column(text).into_owned());
    Parameters::default()
        .bind(identity)
        .bind(now.as_millis())
        .bind(each().map(|event| to_column(&event.id)).bind_iter())
        .bind(each().map(|event| to_column(&event.event_type)).bind_iter())
        .bind(
            each()
                .map(|event| maybe(&event.correlation_key))
                .bind_iter(),
        )
        .bind(each().map(|event| maybe(&event.traceparent)).bind_iter())
        .bind(each().map(|event| &*event.payload).bind_iter())
        .bind(each().map(|event| &event.digest.0[..]).bind_iter())
        .bind(each().map(|event| event.due_at.as_millis()).bind_iter())
        .bind(
            each()
                .map(|event| event.retries.map(u32::cast_signed))
                .bind_iter(),
        )
        .bind(within().map(|within| within.must_start).bind_iter())
        .bind(left_out.iter().map(|(place, _)| *place).bind_iter())
        .bind(
            left_out
                .iter()
                .map(|(_, function)| to_column(function))
                .bind_iter(),
        )
}

/// The functions that are not to get an event.
fn except(event: &NewEvent) -> &[Arc<str>] {
    match &event.target {
        Target::Subscribers { except } => except,
        Target::Function { .. } => &[],
    }
}

/// The index of an event, and what became of it.
fn read(
    columns: Columns<'_>,
    events: &[Within],
    sorted: &[usize],
) -> Result<(usize, Option<PublishedEvent>), Fault> {
    let place: i32 = columns.get(0)?;
    let index = usize::try_from(place - 1).ok();
    let index = index.and_then(|place| sorted.get(place)).copied();
    let index = index.ok_or(Fault::Row("place of an event"))?;
    let duplicate: Option<bool> = columns.get(1)?;
    let Some(duplicate) = duplicate else {
        return Ok((index, None));
    };
    let ids: Option<Vec<String>> = columns.get(3)?;
    let functions: Option<Vec<String>> = columns.get(4)?;
    let runs = ids.unwrap_or_default().into_iter();
    let runs = runs.zip(functions.unwrap_or_default());
    let answer = PublishedEvent {
        event_id: Arc::clone(&events[index].event.id),
        duplicate,
        conflict: columns.get(2)?,
        runs: runs
            .map(|(run, function)| PublishedRun::new(run, super::text::from_column(&function)))
            .collect(),
    };
    Ok((index, Some(answer)))
}

/// What the server's error means. It is the source itself, so that whoever retries transactions finds its code.
fn refused(database: &Database, error: sqlx::Error) -> Error {
    let (server, schema) = (&database.server, database.schema.name());
    let fault = Fault::from(error);
    // Neither the schema nor the function is there, or they are of another store.
    let is_elsewhere = fault.has_code(&["3F000", "42883", "BELT1"]);
    let (kind, message) = if is_elsewhere {
        let message = format!(
            "the transaction is not on the store's database: belts keeps its runs in the schema `{schema}` of {server}. An event and \
             rows of another database cannot be one commit: write the event to an outbox table there, and have a function publish \
             what is in it. The guide on transactions shows both"
        );
        (ErrorKind::Config, message)
    } else if fault.has_code(&["42501"]) {
        let message = format!(
            "the role of the transaction may not publish in {server}: as the owner of the schema run `GRANT USAGE ON SCHEMA {schema} \
             TO …` and `GRANT EXECUTE ON FUNCTION {schema}.publish_within TO …`"
        );
        (ErrorKind::Config, message)
    } else if fault.has_code(&["BELT3"]) {
        let message = format!(
            "runs in {server} wait for events of this type by hashes of their correlation keys, since a worker encrypts, and this one \
             has no keys: publish it by a worker that has them, outside of the transaction"
        );
        (ErrorKind::Config, message)
    } else if fault.has_code(&["25P02"]) {
        let message =
            "the transaction has failed before, so nothing can be published in it: roll it back";
        (ErrorKind::Store, message.to_owned())
    } else {
        (
            ErrorKind::Store,
            format!("{server} could not publish in the transaction"),
        )
    };
    let error = Error::new(kind, message);
    match fault {
        Fault::Sql(source) => match Arc::try_unwrap(source) {
            Ok(source) => error.with_source(source),
            Err(source) => error.with_source(Fault::Sql(source)),
        },
        fault => error.with_source(fault),
    }
}
