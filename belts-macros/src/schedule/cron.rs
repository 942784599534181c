//! Cron expressions: each field is checked, and that there is a day on which they fire.

use super::{
    calendar::Days,
    field::{DAY, HOUR, Item, Kind, MINUTE, MONTH, SECOND, WEEKDAY},
};
use crate::diag::{quoted, suggest};

/// The expressions that have names.
const NAMED: [&str; 6] = [
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
];

/// Checks an expression; the error is a whole message.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    let text = expression.trim();
    if text.starts_with('@') {
        return named(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let kinds: &[Kind] = match fields.len() {
        5 => &[MINUTE, HOUR, DAY, MONTH, WEEKDAY],
        6 => &[SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY],
        0 => {
            return Err(
                "the cron expression is empty; write one, such as `0 9 * * MON-FRI`".to_owned(),
            );
        }
        count => {
            let fields = if count == 1 { "field" } else { "fields" };
            return Err(format!(
                "`{text}` has {count} {fields}; a cron expression has five (minute, hour, day, month, weekday), or six with seconds in \
                 front, such as `0 9 * * MON-FRI`"
            ));
        }
    };
    let mut read = Vec::with_capacity(kinds.len());
    let mut both = false;
    for (place, (kind, field)) in kinds.iter().zip(&fields).enumerate() {
        let mut field = *field;
        if place + 1 == kinds.len()
            && let Some(rest) = field.strip_prefix('+')
        {
            (both, field) = (true, rest);
        }
        let items = kind
            .read(field)
            .map_err(|wrong| format!("{wrong}, field {} of `{text}`", place + 1))?;
        read.push(items);
    }
    let any = |field: &str| field == "*" || field == "?";
    let last = fields.len() - 1;
    let (any_day, any_weekday) = (
        any(fields[last - 2]),
        any(fields[last].trim_start_matches('+')),
    );
    let (weekdays, months, days) = (read.pop(), read.pop(), read.pop());
    let days = Days {
        of_month: days.unwrap_or_default(),
        months: months
            .unwrap_or_default()
            .iter()
            .flat_map(numbers)
            .collect(),
        weekdays: weekdays.unwrap_or_default(),
        any_day,
        any_weekday,
        both,
    };
    if days.are_any() {
        return Ok(());
    }
    Err(format!(
        "`{text}` never fires: no year has such a day; look at the day, the month and the weekday, fields {} to {}",
        last - 1,
        last + 1
    ))
}

fn numbers(item: &Item) -> Vec<usize> {
    match item {
        Item::Numbers(numbers, _) => numbers.clone(),
        _ => Vec::new(),
    }
}

fn named(text: &str) -> Result<(), String> {
    if NAMED.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    let more = match text.to_ascii_lowercase().as_str() {
        "@midnight" => "write `@daily`".to_owned(),
        "@reboot" => format!(
            "a schedule knows no restarts, only times: {}",
            quoted(&NAMED)
        ),
        _ => suggest(text, &NAMED),
    };
    Err(format!("there is no cron expression `{text}`; {more}"))
}
