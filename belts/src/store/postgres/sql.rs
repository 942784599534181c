//! The statements that a store sends, with the name of its schema in them. The functions that they call are in `migrations/`.

use std::sync::Arc;

use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type, postgres::PgArguments};

use super::{
    error::Fault,
    rows::{LISTED, RECORD, STATUS},
    schema::Schema,
};

/// What a statement is given. All is sent in Postgres's binary form, so nothing is ever part of a text of SQL.
#[derive(Debug)]
pub(super) struct Parameters(Result<PgArguments, sqlx::Error>);

impl Default for Parameters {
    fn default() -> Self {
        Self(Ok(PgArguments::default()))
    }
}

impl Parameters {
    pub(super) fn bind<'t, T>(mut self, value: T) -> Self
    where
        T: Encode<'t, Postgres> + Type<Postgres>,
    {
        if let Ok(arguments) = &mut self.0
            && let Err(error) = arguments.add(value)
        {
            self.0 = Err(sqlx::Error::Encode(error));
        }
        self
    }

    pub(super) fn arguments(self) -> Result<PgArguments, Fault> {
        self.0.map_err(Fault::from)
    }
}

/// The event of a run, as a part of `FROM`.
const EVENT: &str = "LATERAL (SELECT * FROM {schema}.events WHERE events.number = runs.number >> 16 OFFSET 0) AS events";

/// When a run ended, or its event was published if it goes on.
const TIME: &str = "coalesce(finished_at, (SELECT published_at FROM {schema}.events WHERE events.number = runs.number >> 16))";

/// When a run that waits for a worker is due, whether or not it stands in line.
const DUE: &str = "CASE WHEN due_at IS NULL AND worker IS NULL AND finished_at IS NULL THEN line_at + shift ELSE due_at END";

/// Whether a run has all the tags that a list asks for.
const TAGGED: &str = "NOT EXISTS (SELECT FROM unnest($8::text[]) AS asked (tag)
    WHERE NOT EXISTS (SELECT FROM {schema}.tags WHERE tags.tag = asked.tag AND tags.run = runs.number))";

/// The runs that are not over, each at least once, as far as a limit reaches: those that wait for a time, those in hand, and others.
const OPEN: &str = "(SELECT number FROM {schema}.runs WHERE due_at IS NOT NULL LIMIT $LOOKS)
    UNION ALL (SELECT number FROM {schema}.runs WHERE worker IS NOT NULL LIMIT $LOOKS)
    UNION ALL (SELECT number FROM {schema}.runs WHERE due_at IS NULL AND worker IS NULL AND finished_at IS NULL LIMIT $LOOKS)";

/// Whether the end of a run was told by what was written, to somebody who may wait for it: then it is to be shown.
const TOLD: &str = "current_setting('belts_store.told', true) IS NOT DISTINCT FROM 'yes'";

/// One statement. The text is the key under which a connection finds it prepared.
#[derive(Debug, Clone)]
pub(super) struct Statement(Arc<str>);

impl Statement {
    pub(super) fn sql(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.0))
    }
}

macro_rules! statements {
    ($($(#[$only:meta])* $name:ident: $sql:expr;)*) => {
        /// Every statement but those of opening.
        #[derive(Debug)]
        pub(super) struct Statements {
            $($(#[$only])* pub(super) $name: Statement,)*
        }

        impl Statements {
            pub(super) fn new(schema: &Schema) -> Self {
                let fill = |sql: &str| Statement(schema.fill(&sql.replace("{record}", RECORD).replace("{listed}", LISTED).replace("{status}", STATUS).replace("{event}", EVENT).replace("{time}", TIME).replace("{due}", DUE).replace("{told}", TOLD).replace("{tagged}", TAGGED).replace("{open_1}", &OPEN.replace("$LOOKS", "$1")).replace("{open_8}", &OPEN.replace("$LOOKS", "$8"))).into());
                Self { $($(#[$only])* $name: fill($sql),)* }
            }
        }
    };
}

statements! {
    commit: "SELECT lost, {told} FROM (SELECT {schema}.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
        $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) AS lost OFFSET 0) AS done";
    // The same with entries that concern waits.
    commit_waits: "SELECT lost, {told} FROM (SELECT {schema}.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
        $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32) AS lost OFFSET 0) AS done";
    // The same with runs that are started, watched or cancelled.
    commit_others: "SELECT lost, {told} FROM (SELECT {schema}.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
        $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, \
        $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51) AS lost OFFSET 0) AS done";
    // What has arrived for the runs of leases that stand.
    arrived: "SELECT run, place, seq, id, event_type, payload FROM {schema}.arrivals(ARRAY(
            SELECT lease.run FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS lease (run, worker, token)
            WHERE (SELECT waits FROM {schema}.runs WHERE number = lease.run AND token = lease.token
                AND runs.worker IS NOT DISTINCT FROM lease.worker)), $4)";
    show_published: "SELECT shown, waiting FROM {schema}.show_published($1, $2, $3)";
    // One more step of one run, which is what most commits are. Answers nothing if there is more to it: the lease is lost, or
    // the entry is there. A plain `=` for the worker would tell the planner that it is not NULL, and so let it read all of
    // `runs_worker`.
    step: "INSERT INTO {schema}.steps
            (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        SELECT number, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM (
            SELECT number FROM {schema}.runs WHERE number = $1 AND worker IS NOT DISTINCT FROM $2 AND token = $3
                AND NOT EXISTS (SELECT FROM {schema}.steps WHERE run = $1 AND seq = $7)
            FOR UPDATE) AS held
        RETURNING 1";
    publish: "SELECT stale, living, event_numbers
        FROM {schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)";
    // The same with runs that have a parent.
    publish_parents: "SELECT stale, living, event_numbers
        FROM {schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
            $23, $24, $25, $26, $27)";
    // One event that starts one run, which is what most publishes are. Answers nothing if there is more to it: the event is
    // there, or the subscriptions have changed. The lock of the publishers is taken before the statement's snapshot: nothing reads
    // its table.
    publish_one: "WITH publisher AS (
            SELECT FROM {schema}.publishing FOR KEY SHARE
        ), known AS MATERIALIZED (
            SELECT seen FROM {schema}.subscriptions_version WHERE version = $3
        ), event AS (
            INSERT INTO {schema}.events
                (published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload, digest, place, visible_at)
            SELECT $4, $5, false, $6, $7, $8, $9, $10, $16, $17, $18 FROM known
            ON CONFLICT (id) DO NOTHING RETURNING number
        ), session AS MATERIALIZED (
            SELECT id FROM {schema}.workers WHERE id = $15 AND lease_until > $4
                AND (barred_store IS DISTINCT FROM $1 OR barred_call < $2)
            FOR SHARE
        )
        INSERT INTO {schema}.runs (number, token, due_at, worker, started_at, retries, id, function_id, status)
        SELECT event.number << 16 | 1, $5,
            CASE WHEN session.id IS NULL THEN
                CASE WHEN $11 <= $4 AND $11 > seen AND $4 - seen <= 86400000 THEN seen ELSE $11 END END,
            session.id, CASE WHEN session.id IS NOT NULL THEN $4 END, $12, $13, $14,
            CASE WHEN session.id IS NULL THEN 'pending' ELSE 'running' END
        FROM event CROSS JOIN known LEFT JOIN session ON true
        RETURNING number >> 16, worker, CASE WHEN worker IS NULL THEN pg_notify('{channel}', $1) END";
    // On a connection of somebody else's, who may have any search path: so each name has its schema, and each parameter its type.
    publish_within: "SELECT place, duplicate, conflict, run_ids, run_functions FROM {schema}.publish_within($1::text, $2::bigint, \
        $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::bigint[], $10::integer[], $11::boolean[], \
        $12::integer[], $13::text[])";
    record_within: "SELECT {schema}.record_within($1::text, $2::bigint, $3::bigint, $4::bigint, $5::integer, $6::integer, \
        $7::bigint, $8::bigint, $9::text, $10::text, $11::bytea, $12::boolean)";
    may_record: "SELECT has_function_privilege('{schema}.record_within(text, bigint, bigint, bigint, integer, integer, bigint, bigint, \
        text, text, bytea, boolean)', 'EXECUTE')";
    recorded: "SELECT {schema}.recorded($1, $2)";
    published: "SELECT asked.place, events.id, events.ticket, runs.id, runs.function_id, runs.number, runs.token, runs.worker,
            events.digest
        FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place),
            LATERAL (SELECT * FROM {schema}.events WHERE id = asked.id OFFSET 0) AS events
            LEFT JOIN LATERAL (SELECT * FROM {schema}.runs WHERE number BETWEEN events.number << 16
                AND events.number << 16 | 65535 OFFSET 0) AS runs ON true
        UNION ALL
        SELECT -asked.place, events.id, events.ticket, runs.id, runs.function_id, runs.number, runs.token, runs.worker,
            events.digest
        FROM unnest($2::text[]) WITH ORDINALITY AS asked (id, place),
            LATERAL (SELECT * FROM {schema}.runs WHERE id = asked.id OFFSET 0) AS runs, {event}
        UNION ALL
        SELECT asked.place, events.id, events.ticket, runs.id, runs.function_id, runs.number, runs.token, runs.worker,
            events.digest
        FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
            JOIN {schema}.events ON events.id = asked.id AND events.joined
            JOIN {schema}.run_events ON run_events.event = events.number
            JOIN {schema}.runs ON runs.number = run_events.run";
    #[cfg(feature = "encryption")]
    note_encryption: "UPDATE {schema}.subscriptions_version SET encrypted = true WHERE NOT encrypted RETURNING 1";
    is_encrypted: "SELECT encrypted FROM {schema}.subscriptions_version";
    subscriptions: "SELECT version, function_id, event_type
        FROM {schema}.subscriptions_version LEFT JOIN {schema}.subscriptions ON true";
    awaited: "SELECT DISTINCT event_type FROM {schema}.awaited";
    // With the types that anybody may wait for, which have no function, and the functions that are paused, without a type. And those
    // that have limits.
    subscribers: "SELECT version, function_id, event_type, has_limits FROM {schema}.subscriptions_version LEFT JOIN (
            SELECT function_id, event_type, false AS has_limits FROM {schema}.subscriptions
            UNION ALL SELECT DISTINCT NULL, event_type, false FROM {schema}.awaited
            UNION ALL SELECT function_id, NULL, false FROM {schema}.paused
            UNION ALL SELECT function_id, NULL, true FROM {schema}.limits) AS known ON true";
    claim: "SELECT tag, number, token, due_at, started_at, finished_at, count_a, count_b, text_a, text_b, text_c, text_d, content,
            text_e, places
        FROM {schema}.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, true, true, $14, $15, $16, $17)";
    in_line: "SELECT parked, parked_limit, (SELECT count(*) FROM (
                SELECT FROM {schema}.runs WHERE lane_a = parked AND lane_a IS NOT NULL AND (worker + 0) IS NOT NULL
                UNION ALL SELECT FROM {schema}.runs WHERE lane_b = parked AND lane_b IS NOT NULL AND (worker + 0) IS NOT NULL) AS held)
        FROM (SELECT * FROM {schema}.runs WHERE id = $1 OFFSET 0) AS waiting JOIN {schema}.lines ON lines.id = line
        WHERE line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL AND parked_limit IS NOT NULL";
    set_aside: "SELECT {told} FROM (SELECT {schema}.set_aside($1, $2, $3, $4, $5, $6) OFFSET 0) AS done";
    // Those of the leases that stand no longer.
    revoked: "SELECT place FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS lease (run, worker, token, place)
        WHERE (SELECT true FROM {schema}.runs WHERE number = lease.run AND token = lease.token
            AND runs.worker IS NOT DISTINCT FROM lease.worker) IS NULL";
    register: "SELECT id, given_back FROM {schema}.register($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    build: "UPDATE {schema}.workers SET build = $2 WHERE id = $1 RETURNING id";
    deregister: "SELECT {schema}.deregister($1, $2, $3)";
    renew: "SELECT {schema}.renew($1, $2, $3, $4)";
    release: "SELECT {schema}.release($1, $2, $3, $4, $5, $6)";
    // Whether there is such a session, and whether this connection has its lock now.
    watch: "WITH taken AS (
            UPDATE {schema}.workers SET watched = true, missing_since = NULL
            WHERE id = $1 AND (watched OR missing_since IS NULL)
                AND pg_try_advisory_lock('{schema}'::regnamespace::oid::bigint << 32 | ($1 & 4294967295))
            RETURNING 1
        ) SELECT EXISTS (SELECT FROM {schema}.workers WHERE id = $1 AND (watched OR missing_since IS NULL)), EXISTS (SELECT FROM taken)";
    unwatch: "SELECT pg_advisory_unlock('{schema}'::regnamespace::oid::bigint << 32 | ($1 & 4294967295))";
    // Tries the connection as well. What was said before it was open may come late.
    rely_on_locks: "UPDATE {schema}.workers SET watched = true, missing_since = NULL
        WHERE id = ANY ($1) AND NOT watched AND missing_since IS NULL";
    // For sessions without a connection that could hold their locks.
    rely_on_leases: "UPDATE {schema}.workers SET watched = false, missing_since = NULL WHERE watched AND id = ANY ($1)";
    cancel: "SELECT cancelled, {told} FROM (SELECT {schema}.cancel($3, $1, $2) AS cancelled OFFSET 0) AS done";
    rerun: "SELECT {schema}.rerun_undone($3, $1, $2, $4, $5, $7, $8, $9, $10, $11, $6)";
    // The runs whose time is over next: each may come twice, and the indexes are empty where none has limits.
    next_over: "SELECT number, over_at, limits_since, start_by, finish_by, started_at IS NOT NULL FROM (
            (SELECT number, start_by AS over_at, limits_since, start_by, finish_by, started_at FROM {schema}.runs
                WHERE start_by IS NOT NULL AND started_at IS NULL AND finished_at IS NULL ORDER BY start_by LIMIT $1)
            UNION ALL
            (SELECT number, finish_by, limits_since, start_by, finish_by, started_at FROM {schema}.runs
                WHERE finish_by IS NOT NULL AND finished_at IS NULL ORDER BY finish_by LIMIT $1)
        ) AS found ORDER BY over_at";
    expire: "SELECT ended, {told} FROM (SELECT {schema}.expire($1, $2, $3, $4, $5, $6) AS ended OFFSET 0) AS done";
    // Of runs that this worker has leased.
    undoing: "SELECT number, undo, undo_result FROM {schema}.runs
        WHERE number = ANY ($1) AND worker IS NOT DISTINCT FROM $2 AND undo IN ('failed', 'cancelled')";
    backlog: "SELECT (SELECT count(*) FROM (SELECT FROM {schema}.runs
            WHERE function_id = asked.id AND due_at IS NOT NULL AND due_at <= $2
                AND NOT EXISTS (SELECT FROM {schema}.paused WHERE paused.function_id = asked.id)
            ORDER BY due_at LIMIT $3) AS due)
            + (SELECT count(*) FROM (SELECT FROM {schema}.lines JOIN {schema}.runs ON runs.line = lines.id
            WHERE lines.function_id = asked.id AND parked IS NULL AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL
                AND finished_at IS NULL
                AND NOT EXISTS (SELECT FROM {schema}.paused WHERE paused.function_id = asked.id) LIMIT $3) AS ready)
        FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place) ORDER BY place";
    purge: "SELECT gone_runs, gone_events, more FROM (SELECT {schema}.purge_keys($1, $2) OFFSET 0) AS keys, {schema}.purge_some($1, $2)";
    flow: "SELECT place, routed, until, other FROM {schema}.flow_runs($1, $2, $3, $4)";
    route: "SELECT routed, until, other, {told} FROM (SELECT * FROM {schema}.route($1, $2, $3, $4, $5, $6, $7) OFFSET 0) AS done";
    batch: "SELECT id, event_type, payload, correlation_key FROM {schema}.events WHERE number IN (
            SELECT number >> 16 FROM {schema}.runs WHERE id = $1
            UNION SELECT event FROM {schema}.run_events JOIN {schema}.runs ON runs.number = run WHERE runs.id = $1)
        ORDER BY number";
    // The last row of those that are not due says when the next one is.
    due_schedules: "WITH open AS NOT MATERIALIZED (
            SELECT name, function_id, due_at, version, value FROM {schema}.schedules
            WHERE due_at IS NOT NULL AND function_id = ANY ($1)
                AND NOT EXISTS (SELECT FROM {schema}.paused WHERE paused.function_id = schedules.function_id))
        SELECT * FROM (
            (SELECT * FROM open WHERE due_at <= $2 ORDER BY due_at, name LIMIT $3)
            UNION ALL (SELECT name, function_id, due_at, version, '' FROM open WHERE due_at > $2 ORDER BY due_at LIMIT 1)
        ) AS found ORDER BY due_at, name";
    change_schedules: "SELECT {schema}.change_schedules($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
        $18, $19, $20, $21, $22, $23)";
    schedules: "SELECT name, function_id, due_at, version, value FROM {schema}.schedules
        WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2";
    schedule: "SELECT name, function_id, due_at, version, value FROM {schema}.schedules WHERE name = $1";
    pause: "SELECT {schema}.pause($1, $2)";
    resume: "SELECT {schema}.resume($2, $1)";
    forget: "SELECT living, ended, more, {told} FROM (SELECT * FROM {schema}.forget_handled($1, $2, $3, $4) OFFSET 0) AS done";
    note: "UPDATE {schema}.runs SET notes = (coalesce(notes, '{}') || $2::text)[greatest(1, coalesce(cardinality(notes), 0) + 2 - $3):]
        WHERE id = $1 RETURNING 1";
    events: "SELECT number, id, event_type, correlation_key, payload FROM {schema}.events WHERE number > $1 ORDER BY number LIMIT $2";
    // Rows one after the other, by their keys: two of these that run at once take them in one order.
    substitute_events: "WITH asked AS MATERIALIZED (
            SELECT events.number, value.old, value.new FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS value (id, old, new),
                LATERAL (SELECT * FROM {schema}.events WHERE id = value.id OFFSET 0) AS events
            ORDER BY events.number
        ), held AS MATERIALIZED (
            SELECT events.number FROM {schema}.events WHERE number IN (SELECT number FROM asked) ORDER BY number FOR UPDATE
        ) UPDATE {schema}.events SET payload = asked.new FROM asked JOIN held USING (number)
        WHERE events.number = asked.number AND events.payload = asked.old RETURNING 1";
    substitute_results: "WITH asked AS MATERIALIZED (
            SELECT runs.number, value.old, value.new FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS value (id, old, new),
                LATERAL (SELECT * FROM {schema}.runs WHERE id = value.id OFFSET 0) AS runs
        ), held AS MATERIALIZED (
            SELECT runs.number FROM {schema}.runs WHERE number IN (SELECT number FROM asked) ORDER BY number FOR UPDATE
        ) UPDATE {schema}.runs SET result = asked.new,
            undo_result = CASE WHEN undo_result = asked.old THEN asked.new ELSE undo_result END
        FROM asked JOIN held USING (number)
        WHERE runs.number = asked.number AND runs.result = asked.old RETURNING 1";
    substitute_entries: "WITH asked AS MATERIALIZED (
            SELECT runs.number, value.seq, value.old, value.new
            FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::integer[]) AS value (id, old, new, seq),
                LATERAL (SELECT * FROM {schema}.runs WHERE id = value.id OFFSET 0) AS runs
        ), held AS MATERIALIZED (
            SELECT runs.number FROM {schema}.runs WHERE number IN (SELECT number FROM asked) ORDER BY number FOR UPDATE
        ) UPDATE {schema}.steps SET value = asked.new FROM asked JOIN held USING (number)
        WHERE steps.run = asked.number AND steps.seq = asked.seq AND steps.value = asked.old RETURNING 1";
    // What is wanted by whom, each function that has runs which have not finished, and each that is paused.
    functions: "WITH wanted AS (
            SELECT function_id FROM {schema}.subscriptions
            UNION SELECT function_id FROM {schema}.wants JOIN {schema}.workers ON id = session WHERE lease_until > $1
            UNION SELECT function_id FROM {schema}.paused
            UNION SELECT unnest(functions) FROM {schema}.first_due()
            UNION SELECT function_id FROM {schema}.runs WHERE worker IS NOT NULL
            UNION SELECT function_id FROM {schema}.runs WHERE due_at IS NULL AND worker IS NULL AND finished_at IS NULL
        ) SELECT function_id,
            ARRAY(SELECT event_type FROM {schema}.subscriptions WHERE subscriptions.function_id = wanted.function_id
                ORDER BY event_type),
            EXISTS (SELECT FROM {schema}.wants JOIN {schema}.workers ON id = session
                WHERE wants.function_id = wanted.function_id AND lease_until > $1),
            (SELECT count(*) FROM (SELECT FROM {schema}.runs WHERE runs.function_id = wanted.function_id
                AND due_at IS NOT NULL LIMIT $2) AS due)
            + (SELECT count(*) FROM (SELECT FROM {schema}.runs WHERE runs.function_id = wanted.function_id
                AND worker IS NOT NULL LIMIT $2) AS held)
            + (SELECT count(*) FROM (SELECT FROM {schema}.runs WHERE runs.function_id = wanted.function_id
                AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL LIMIT $2) AS stopped),
            (SELECT paused_at FROM {schema}.paused WHERE paused.function_id = wanted.function_id)
        FROM wanted ORDER BY function_id";
    run: "SELECT {record}, runs.notes FROM (SELECT * FROM {schema}.runs WHERE id = $1 OFFSET 0) AS runs, {event}";
    journal: "SELECT seq, attempts, due_at, started_at, finished_at, path, kind, state, type_name, value, wait, wait_places
        FROM {schema}.steps WHERE run = (SELECT number FROM {schema}.runs WHERE id = $1) ORDER BY seq";
    list: "SELECT {listed} FROM (
            SELECT * FROM {schema}.runs
            WHERE number < $1 AND ($2::text IS NULL OR function_id = $2) AND ($3::text[] = '{}' OR {status} = ANY ($3))
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7)
                AND number > $8
            ORDER BY number DESC LIMIT $4) AS runs, {event}";
    list_of_failed: "SELECT {listed} FROM (
            SELECT * FROM {schema}.runs
            WHERE status IN ('failed', 'cancelled') AND number < $1 AND ($2::text IS NULL OR function_id = $2) AND {status} = ANY ($3)
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7)
                AND number > $8
            ORDER BY number DESC LIMIT $4) AS runs, {event}";
    // Those that are not over, where they are few.
    list_of_open: "SELECT {listed} FROM (
            SELECT runs.* FROM (SELECT DISTINCT number FROM ({open_8}) AS open OFFSET 0) AS open
                JOIN {schema}.runs ON runs.number = open.number
            WHERE runs.number < $1 AND ($2::text IS NULL OR function_id = $2) AND {status} = ANY ($3)
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7)
            ORDER BY runs.number DESC LIMIT $4) AS runs, {event}";
    open_runs: "SELECT count(*) FROM ({open_1}) AS open";
    // The first run that a list does not look at any more.
    floor: "SELECT number FROM {schema}.runs WHERE number < $1 ORDER BY number DESC OFFSET $2 LIMIT 1";
    floor_of_failed: "SELECT number FROM {schema}.runs WHERE status IN ('failed', 'cancelled') AND number < $1
        ORDER BY number DESC OFFSET $2 LIMIT 1";
    floor_of_parent: "SELECT number FROM {schema}.runs WHERE parent = $3 AND number < $1 ORDER BY number DESC OFFSET $2 LIMIT 1";
    floor_of_tag: "SELECT run FROM {schema}.tags WHERE tag = $3 AND run < $1 ORDER BY run DESC OFFSET $2 LIMIT 1";
    ended: "SELECT function_id, status, count(*), max(finished_at), min(finished_at) FROM (
            SELECT function_id, status, finished_at FROM {schema}.runs WHERE finished_at IS NOT NULL AND finished_at >= $1
            ORDER BY finished_at DESC, number DESC LIMIT $2) AS ended GROUP BY function_id, status";
    // Of one function, which are few beside all that have ended. The index is read alone, and so not by number.
    list_of_due: "SELECT {listed} FROM (
            SELECT * FROM (
                SELECT * FROM {schema}.runs WHERE function_id = $2 AND due_at IS NOT NULL AND due_at <= $7
                UNION ALL SELECT runs.* FROM {schema}.lines JOIN {schema}.runs ON runs.line = lines.id
                    WHERE lines.function_id = $2 AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                        AND line_at + shift <= $7 OFFSET 0) AS runs
            WHERE number < $1 AND ($3::text[] = '{}' OR {status} = ANY ($3))
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6)
            ORDER BY number DESC LIMIT $4) AS runs, {event}";
    // Its runs are looked up before anything else is asked of them, or all runs would be gone through in the order of the list.
    list_of_event: "SELECT {listed} FROM (
            SELECT runs.* FROM (SELECT number FROM {schema}.events WHERE id = $9 OFFSET 0) AS of,
                LATERAL (SELECT * FROM {schema}.runs WHERE number BETWEEN of.number << 16 AND of.number << 16 | 65535 OFFSET 0) AS runs
            WHERE runs.number < $1 AND ($2::text IS NULL OR function_id = $2) AND ($3::text[] = '{}' OR {status} = ANY ($3))
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7) AND {tagged}
            ORDER BY runs.number DESC LIMIT $4) AS runs, {event}";
    list_of_parent: "SELECT {listed} FROM (
            SELECT * FROM {schema}.runs
            WHERE parent = $9 AND number < $1 AND ($2::text IS NULL OR function_id = $2) AND ($3::text[] = '{}' OR {status} = ANY ($3))
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7)
                AND ($10::text IS NULL OR number >> 16 = (SELECT number FROM {schema}.events WHERE id = $10)) AND {tagged} AND number > $11
            ORDER BY number DESC LIMIT $4) AS runs, {event}";
    list_of_tag: "SELECT {listed} FROM (
            SELECT runs.* FROM {schema}.tags AS of JOIN {schema}.runs ON runs.number = of.run
            WHERE of.tag = $9 AND of.run < $1 AND ($2::text IS NULL OR function_id = $2) AND ($3::text[] = '{}' OR {status} = ANY ($3))
                AND ($5::bigint IS NULL OR {time} >= $5) AND ($6::bigint IS NULL OR {time} < $6) AND ($7::bigint IS NULL OR {due} <= $7) AND {tagged}
                AND of.run > $10
            ORDER BY of.run DESC LIMIT $4) AS runs, {event}";
    // Of runs that are there. Whoever sends it holds them.
    tag: "INSERT INTO {schema}.tags (run, tag)
        SELECT asked.run, asked.tag FROM unnest($1::bigint[], $2::text[]) AS asked (run, tag)
        WHERE EXISTS (SELECT FROM {schema}.runs WHERE number = asked.run)
        ON CONFLICT DO NOTHING";
}

/// A limit as a parameter.
pub(super) fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
