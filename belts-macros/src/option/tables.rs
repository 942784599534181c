//! The options of each macro, which the parser, the messages and rustdoc read.

use super::table::Table;

/// An option as it is written: `name = value`, or `name(…)` with options of its own.
macro_rules! written {
    (= $name:literal $example:literal) => {
        concat!($name, " = ", $example)
    };
    (() $name:literal $example:literal) => {
        concat!($name, "(", $example, ")")
    };
}
pub(crate) use written;

/// Makes a table, and the list of its options for rustdoc.
macro_rules! table {
    ($table:ident, $list:ident: $($name:literal $how:tt $example:literal $text:literal;)*) => {
        pub(crate) const $table: Table = Table::new(&[$(($name, written!($how $name $example))),*]);
        macro_rules! $list {
            () => { concat!($("- `", $crate::option::written!($how $name $example), "`: ", $text, "\n"),*) };
        }
        pub(crate) use $list;
    };
    ($table:ident: $($name:literal = $example:literal;)*) => {
        pub(crate) const $table: Table = Table::new(&[$(($name, concat!($name, " = ", $example))),*]);
    };
}

table! { FUNCTION, function_options:
    "id" = r#""process-order""#
        "required; 1 to 100 characters of `a-z 0-9 - _ . /`, unique in the program";
    "on" = "OrderCreated"
        "required, but for schedules and failure handlers; the event that starts it, or several, as in `[OrderCreated, OrderCancelled]`: the argument's type includes all of them";
    "when" = "|event| event.cents > 0"
        "starts only for events that pass this filter";
    "cancel_on" = "OrderWithdrawn"
        "an event that cancels the run if it has the same correlation key as the event that started it, or several, as in `[OrderWithdrawn, CustomerLeft]`";
    "on_failure" = "process_order"
        "in place of `on`: the function whose failed runs start it, or several, as in `[process_order, ship_order]`; it takes a `belts::Failed<…>` of their event";
    "cancelled" = "true"
        "with `on_failure`: it is started by cancelled runs as well";
    "cron" = r#""0 9 * * MON-FRI""#
        "in place of `on`: when the clock starts it, by a cron expression of five fields, or six with seconds in front; it takes a `belts::Tick`";
    "tz" = r#""Europe/Berlin""#
        "the time zone of `cron`, by its name in the IANA database; UTC by default";
    "every" = r#""15m""#
        "in place of `cron`: how often the clock starts it, counted from the Unix epoch, or a `Duration`";
    "missed" = r#""latest""#
        "what becomes of ticks at whose time no worker was there: `\"latest\"`, the default, starts one run for all of them, `\"skip\"` none, `\"all\"` one for each, at most 100";
    "overlap" = r#""skip""#
        "what becomes of a tick while the run of the last one goes on: `\"skip\"`, the default, `\"queue\"`, `\"allow\"` or `\"cancel\"`";
    "jitter" = r#""30s""#
        "how much later a run may start, by how much follows from the tick, or a `Duration`";
    "retries" = "3"
        "retries of the function as a whole; 3 by default";
    "backoff" = r#""1s..60s""#
        "the wait between retries, or a `belts::Backoff`";
    "timeout" = r#""30s""#
        "how long one attempt may be driven without a pause, or a `Duration`";
    "start_within" = r#""1h""#
        "how long a run may wait until a worker first takes it, or a `Duration`; then it is cancelled";
    "finish_within" = r#""2d""#
        "how long a run may take until it ends, with all its waits, sleeps and retries, or a `Duration`; then it is cancelled";
    "on_cancel" = r#""finish""#
        "what becomes of a step that runs when the run is cancelled: `\"drop\"`, the default, or `\"finish\"`, by which it may end within the worker's grace period";
    "concurrency" = "4"
        "the maximum of runs at once in one process; `concurrency(limit = 5, key = |event| &event.account)` is one over all workers, for each key, and `concurrency(limit = 20, shared = \"openai\")` one for all functions that name it: two of these at most. Only what is driven counts";
    "throttle" () r#"limit = 60, per = "1m", burst = 10, key = |event| &event.account"#
        "at which rate runs start, for each key; the rest waits for its turn";
    "rate_limit" () r#"limit = 10, per = "1h", key = |event| &event.account"#
        "at which rate events start runs, for each key; the rest is skipped, which is recorded";
    "debounce" () r#"period = "5m", max = "1h", key = |event| &event.document"#
        "one run for events of a key that follow each other, with the last of them: a period after it, and at the latest `max` after the first";
    "batch" () r#"size = 100, within = "5s", key = |event| &event.account"#
        "one run for several events of a key, which the function takes as a `Vec<…>`: at most `size`, and at the latest `within` after the first";
    "singleton" () r#"key = |event| &event.account, then = "skip""#
        "one run of a key at a time, from its publish to its end; while there is one, an event is skipped (`\"skip\"`, the default), takes its place (`\"replace\"`) or waits (`\"queue\"`)";
    "idempotent" () r#"key = |event| &event.order_id, within = "24h""#
        "one run of a key, from the first publish on and whatever becomes of it; the key is taken for 24 hours by default";
    "priority" = "|event| if event.urgent { 300 } else { 0 }"
        "how many seconds earlier a run stands in the queue, from -600 to 600";
    "max_steps" = "1000"
        "the maximum of steps in one run; by default the worker's, 10,000";
    "continuation" = r#""per-step""#
        "each step runs in a delivery of its own; by default, `\"inline\"`, the next one runs in the same delivery";
    "crate" = "my_crate::belts"
        "the path of belts, if not `::belts`";
}
table! { STEPS, helper_options:
    "crate" = "my_crate::belts"
        "the path of belts, if not `::belts`";
}
table! { STEP, step_options:
    "retries" = "5"
        "retries after a failed attempt; 3 by default";
    "backoff" = r#""1s..60s""#
        "the wait between retries, or a `belts::Backoff`";
    "timeout" = r#""30s""#
        "how long each attempt may take, or a `Duration`; an expression that blocks its thread cannot be interrupted, and counts as timed out when it returns";
    "stall" = r#""30s""#
        "how long an attempt may go without a `cx.heartbeat(…)`, or a `Duration`; one that is silent for longer has failed";
    "unknown" = "ask(find_charge(&key))"
        "what becomes of the step if its process died, or its time ran out, before its outcome was recorded: the expression says what was done, as a `Result<Option<…>>`; `\"fail\"` is an error, `\"park\"` waits for a person, and `\"retry\"`, the default, evaluates it again";
    "undo" = "|stock| release(stock)"
        "a closure that takes the result and returns a future: it undoes what the step did if the run fails or is cancelled";
}
table! { TRANSACTION, transaction_options:
    "retries" = "5"
        "retries after a failed attempt; 3 by default";
    "backoff" = r#""1s..60s""#
        "the wait between retries, or a `belts::Backoff`";
    "timeout" = r#""30s""#
        "how long each attempt may take, or a `Duration`; a commit that has begun is waited for";
    "undo" = "|balance| refund(balance)"
        "a closure that takes the result and returns a future: it undoes what was committed if the run fails or is cancelled";
}
table! { WAIT, wait_options:
    "key" = "&order.order_id"
        "whose event: a value of the type of the event's `#[event(key = …)]`, or a reference to one; needed if it has one";
    "timeout" = r#""3d""#
        "how long it waits, or a `Duration`; the result is then an `Option`, which is `None` when the time has run out";
    "when" = "|paid| paid.cents > 100"
        "passes over events that this closure refuses";
    "since" = r#""start""#
        "which events that are there already count: by default those published after the event that started the run; `\"now\"` none; a duration, `\"10m\"`, those of that time before the wait is first reached";
}
table! { CALLBACK, callback_options:
    "page" = r#""Approve order {order_id}?""#
        "shows browsers a page with this question at the callback's URL, and a button for each variant of the type, an enum without fields";
}
table! { CALL, call_options:
    "timeout" = r#""1h""#
        "how long it waits, or a `Duration`; then the run is cancelled, and the call an error";
    "retries" = "5"
        "retries of the run, in place of what its function says";
    "detached" = "true"
        "the run goes on if the one that called it fails or is cancelled; by default it is cancelled with it";
    "undo" = "|receipt| refund(receipt)"
        "a closure that takes the output and returns a future: it undoes what the run did if this one fails or is cancelled";
}
table! { START, start_options:
    "retries" = "5"
        "retries of the run, in place of what its function says";
    "attached" = "true"
        "the run is cancelled if the one that started it fails or is cancelled; by default it goes on";
}
table! { CONCURRENCY:
    "limit" = "5";
    "key" = "|event| &event.account";
    "shared" = r#""openai""#;
}
table! { THROTTLE:
    "limit" = "60";
    "per" = r#""1m""#;
    "burst" = "10";
    "key" = "|event| &event.account";
}
table! { RATE_LIMIT:
    "limit" = "10";
    "per" = r#""1h""#;
    "key" = "|event| &event.account";
}
table! { DEBOUNCE:
    "period" = r#""5m""#;
    "max" = r#""1h""#;
    "key" = "|event| &event.document";
}
table! { BATCH:
    "size" = "100";
    "within" = r#""5s""#;
    "key" = "|event| &event.account";
}
table! { SINGLETON:
    "key" = "|event| &event.account";
    "then" = r#""skip""#;
}
table! { IDEMPOTENT:
    "key" = "|event| &event.order_id";
    "within" = r#""24h""#;
}
table! { NONE: }
table! { STRUCT:
    "type" = r#""order-created""#;
    "key" = "order_id";
    "validate" = "OrderCreated::validate";
    "crate" = "my_crate::belts";
}
table! { ENUM:
    "validate" = "OrderEvent::validate";
    "crate" = "my_crate::belts";
}
table! { VARIANT:
    "type" = r#""order-created""#;
    "key" = "order_id";
    "publish" = "publish_order_created";
}
