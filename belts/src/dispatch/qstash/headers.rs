//! A message's options as headers of the service.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};

use super::{
    options::{QstashFlowControl, QstashOptions},
    urls,
};

/// Names, in lower case as in the service's own clients, and values.
pub(super) type Headers = Vec<(String, String)>;

/// The longest period of a rate.
const LONGEST_PERIOD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The headers for these options, or which of them is wrong.
pub(super) fn of(options: &QstashOptions) -> Result<Headers, String> {
    let mut headers = Headers::new();
    let mut add = |setting: &str, name: &str, value: Option<Result<String, String>>| {
        let Some(value) = value else {
            return Ok::<(), String>(());
        };
        let value = value.and_then(checked);
        headers.push((
            name.to_owned(),
            value.map_err(|wrong| format!("`{setting}` {wrong}"))?,
        ));
        Ok(())
    };
    let retries = options.retries.map(|retries| Ok(retries.to_string()));
    add("retries", "upstash-retries", retries)?;
    let retry_delay = options.retry_delay.clone().map(Ok);
    add("retry_delay", "upstash-retry-delay", retry_delay)?;
    let timeout = options.timeout.map(timeout);
    add("timeout", "upstash-timeout", timeout)?;
    let id = options.deduplication_id.clone().map(Ok);
    add("deduplication_id", "upstash-deduplication-id", id)?;
    if let Some(flow) = &options.flow_control {
        let name = "flow_control";
        add(name, "upstash-flow-control-key", Some(Ok(flow.key.clone())))?;
        add(name, "upstash-flow-control-value", Some(limits(flow)))?;
    }
    let url = |url: &Option<String>| {
        let url = url.clone()?;
        Some(urls::check_callback(&url).map(|()| url))
    };
    add("callback", "upstash-callback", url(&options.callback))?;
    add(
        "failure_callback",
        "upstash-failure-callback",
        url(&options.failure_callback),
    )?;
    add("label", "upstash-label", list(&options.labels))?;
    add("redact", "upstash-redact-fields", list(&options.redacted))?;
    for (name, value) in &options.forwarded {
        let forwarded = forwarded(name)?;
        add("forward", &forwarded, Some(Ok(value.clone())))?;
    }
    Ok(headers)
}

/// A time in whole seconds, rounded up.
pub(super) fn seconds(time: Duration) -> String {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    format!("{whole}s")
}

/// Whether a text can be the value of a header at all.
pub(super) fn is_value(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && HeaderValue::from_str(text).is_ok()
}

/// The value is not repeated, since it may be a secret.
fn checked(value: String) -> Result<String, String> {
    if is_value(&value) {
        Ok(value)
    } else if value.is_empty() {
        Err("is empty".to_owned())
    } else {
        Err("has characters that are not allowed in a header: use visible ASCII".to_owned())
    }
}

fn timeout(timeout: Duration) -> Result<String, String> {
    if timeout.is_zero() {
        return Err("must be longer than zero".to_owned());
    }
    Ok(seconds(timeout))
}

fn limits(flow: &QstashFlowControl) -> Result<String, String> {
    if flow.parallelism.is_none() && flow.rate.is_none() {
        return Err("needs a `parallelism` or a `rate`".to_owned());
    }
    if flow.parallelism == Some(0) || flow.rate == Some(0) {
        return Err("must allow at least one message".to_owned());
    }
    let whole = |period: Duration| period.subsec_nanos() == 0;
    if let Some(period) = flow.period
        && (period.is_zero() || period > LONGEST_PERIOD || !whole(period))
    {
        return Err("must have a period of whole seconds, at most a week".to_owned());
    }
    let parts = [
        flow.parallelism.map(|most| format!("parallelism={most}")),
        flow.rate.map(|most| format!("rate={most}")),
        flow.period
            .map(|period| format!("period={}", seconds(period))),
    ];
    Ok(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn list(words: &[String]) -> Option<Result<String, String>> {
    if words.is_empty() {
        return None;
    }
    let wrong = words
        .iter()
        .any(|word| word.is_empty() || word.contains(','));
    Some(if wrong {
        Err("must not be empty or contain a comma".to_owned())
    } else {
        Ok(words.join(","))
    })
}

/// Headers to be forwarded have a prefix.
fn forwarded(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    if HeaderName::from_bytes(lower.as_bytes()).is_err() {
        return Err("`forward` has a name that is not a valid header name".to_owned());
    }
    if lower.starts_with("upstash-") || lower == "content-type" {
        return Err(format!(
            "`forward` cannot set `{lower}`, which the service sets"
        ));
    }
    Ok(format!("upstash-forward-{lower}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(options: &QstashOptions) -> String {
        of(options).unwrap_err()
    }

    #[test]
    fn every_option_is_its_header() {
        let flow = QstashFlowControl::new("k").parallelism(2).rate(10);
        let options = QstashOptions::new()
            .retries(0)
            .retry_delay("1000 * (1 + retried)")
            .timeout(Duration::from_millis(1500))
            .deduplication_id("d1")
            .flow_control(flow.period(Duration::from_secs(60)))
            .callback("https://cb.example/c")
            .failure_callback("https://cb.example/f")
            .label("l1")
            .label("l2")
            .redact_body()
            .redact_header("authorization")
            .forward("My-Header", "v");
        let headers = of(&options).unwrap();
        let headers: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let expected = [
            ("upstash-retries", "0"),
            ("upstash-retry-delay", "1000 * (1 + retried)"),
            ("upstash-timeout", "2s"),
            ("upstash-deduplication-id", "d1"),
            ("upstash-flow-control-key", "k"),
            (
                "upstash-flow-control-value",
                "parallelism=2, rate=10, period=60s",
            ),
            ("upstash-callback", "https://cb.example/c"),
            ("upstash-failure-callback", "https://cb.example/f"),
            ("upstash-label", "l1,l2"),
            ("upstash-redact-fields", "body,header[authorization]"),
            ("upstash-forward-my-header", "v"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(of(&QstashOptions::new()), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_option_is_named_and_its_value_is_not() {
        let new = QstashOptions::new;
        let flow = |flow| new().flow_control(flow);
        let cases = [
            (
                new().retry_delay("hunter2\n"),
                "`retry_delay` has characters",
            ),
            (new().timeout(Duration::ZERO), "`timeout` must be longer"),
            (new().deduplication_id(""), "`deduplication_id` is empty"),
            (
                new().callback("ftp://hunter2"),
                "`callback` must be a complete URL",
            ),
            (
                new().failure_callback("hunter2"),
                "`failure_callback` must be",
            ),
            (new().label("a,hunter2"), "`label` must not be empty"),
            (new().forward("a b", "hunter2"), "`forward` has a name"),
            (new().forward("Upstash-Delay", "1s"), "`forward` cannot set"),
            (
                new().forward("a", "hunter2\r\nb: c"),
                "`forward` has characters",
            ),
            (flow(QstashFlowControl::new("k")), "`flow_control` needs"),
            (
                flow(QstashFlowControl::new("k").rate(0)),
                "`flow_control` must allow",
            ),
            (
                flow(QstashFlowControl::new("ä").rate(1)),
                "`flow_control` has",
            ),
            (
                flow(
                    QstashFlowControl::new("k")
                        .rate(1)
                        .period(LONGEST_PERIOD * 2),
                ),
                "at most a week",
            ),
        ];
        for (options, part) in cases {
            let message = wrong(&options);
            assert!(message.contains(part), "{part}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn an_option_of_the_message_wins_over_the_dispatchers() {
        let all = QstashOptions::new()
            .retries(5)
            .label("all")
            .forward("a", "1")
            .forward("b", "2");
        let own = QstashOptions::new()
            .retries(0)
            .label("own")
            .forward("A", "3");
        let merged = own.over(&all);
        assert_eq!((merged.retries, merged.labels.len()), (Some(0), 2));
        let forwarded = [("A", "3"), ("b", "2")];
        assert!(
            merged
                .forwarded
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .eq(forwarded)
        );
    }
}
