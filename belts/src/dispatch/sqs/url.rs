//! `sqs://` URLs.

use super::{Sqs, builder::SqsBuilder};

/// The settings that an `sqs://` URL names.
pub(crate) fn read(url: &str) -> Result<SqsBuilder, String> {
    const EXAMPLE: &str = "`sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders`";
    let rest = url.strip_prefix("sqs://").unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if place.contains('@') {
        return Err("has a user or password in its URL, which SQS does not use: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
    }
    let queue = place.split_once('/').filter(|(host, path)| {
        !host.is_empty() && path.contains('/') && path.split('/').all(|part| !part.is_empty())
    });
    if queue.is_none() {
        return Err(format!(
            "names no queue; write host, account and queue, as in {EXAMPLE}"
        ));
    }
    let (mut scheme, mut region) = ("https", None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            ("tls", "off") => scheme = "http",
            ("tls", "on") => {}
            ("tls", _) => return Err("has the option `tls`, which is `on` or `off`".to_owned()),
            ("region", "") => return Err("has the option `region` without a value".to_owned()),
            ("region", value) => region = Some(value),
            _ => {
                return Err(format!(
                    "has the option `{name}`; there are `region` and `tls`"
                ));
            }
        }
    }
    let builder = Sqs::builder(format!("{scheme}://{place}"));
    Ok(match region {
        Some(region) => builder.region(region),
        None => builder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_a_queue_and_options() {
        for url in [
            "sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders",
            "sqs://127.0.0.1:5000/123456789012/orders.fifo?region=us-east-1&tls=off",
        ] {
            assert!(read(url).is_ok(), "{url}");
        }
        let builder = read("sqs://127.0.0.1:5000/17/orders?region=us-east-1&tls=off").unwrap();
        let shown = format!("{builder:?}");
        assert!(shown.contains("http://127.0.0.1:5000/17/orders"), "{shown}");
        assert!(shown.contains("us-east-1"), "{shown}");
    }

    #[test]
    fn wrong_url_says_what_is_right_and_keeps_secrets() {
        let wrong = [
            ("sqs:", "names no queue"),
            ("sqs://", "names no queue"),
            ("sqs://sqs.eu-west-1.amazonaws.com/orders", "account"),
            ("sqs://host/17/", "names no queue"),
            ("sqs://host/17/orders?zone=a", "`region` and `tls`"),
            ("sqs://host/17/orders?tls=maybe", "`on` or `off`"),
            ("sqs://host/17/orders?region=", "without a value"),
            ("sqs://ada:hunter2@host/17/orders", "AWS_ACCESS_KEY_ID"),
        ];
        for (url, part) in wrong {
            let message = read(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }
}
