//! `sqs://` URLs, and what the URL of a queue says of its region.

use super::{Sqs, SqsBuilder};
use crate::error::{Error, ErrorKind, Result};

/// Opens the dispatcher of an `sqs://` URL.
pub(crate) async fn open(url: &str) -> Result<Sqs> {
    let wrong = |wrong| Error::new(ErrorKind::Config, format!("the dispatcher {wrong}"));
    read(url).map_err(wrong)?.open().await
}

/// Says what is wrong with an `sqs://` URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

fn read(url: &str) -> Result<SqsBuilder, String> {
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
            "names no queue; write host, account and queue as in {EXAMPLE}"
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

/// A queue's place: what stands before the account, and the region if the host is Amazon's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) region: Option<String>,
    /// The host is the one that the SDK finds by itself.
    pub(super) usual: bool,
}

/// Reads the URL of a queue.
pub(super) fn place(queue_url: &str) -> Option<Place> {
    let (scheme, rest) = queue_url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let fits = matches!(scheme, "https" | "http") && !host.is_empty() && !host.contains('@');
    if !fits || !path.split('/').all(|part| !part.is_empty()) || queue_url.contains(['?', '#']) {
        return None;
    }
    let amazon = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let region = amazon.and_then(|host| {
        // `sqs.REGION`, `REGION.queue`, and `vpce-….sqs.REGION.vpce`.
        let mut parts = host.split('.').skip_while(|part| *part != "sqs").skip(1);
        parts.next().or_else(|| host.strip_suffix(".queue"))
    });
    Some(Place {
        origin: format!("{scheme}://{host}"),
        usual: amazon.is_some_and(|host| host.starts_with("sqs.")),
        region: region.map(str::to_owned),
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
            assert_eq!(check(url), Ok(()), "{url}");
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
            let message = check(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }

    #[test]
    fn region_is_read_from_amazons_hosts() {
        let region = |host: &str| place(&format!("https://{host}/17/orders")).unwrap().region;
        for host in [
            "sqs.eu-west-1.amazonaws.com",
            "eu-west-1.queue.amazonaws.com",
            "sqs.eu-west-1.amazonaws.com.cn",
            "vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com",
        ] {
            assert_eq!(region(host).as_deref(), Some("eu-west-1"), "{host}");
        }
        assert_eq!(region("127.0.0.1:5000"), None);
        let usual = |host: &str| place(&format!("https://{host}/17/orders")).unwrap().usual;
        assert!(usual("sqs.eu-west-1.amazonaws.com"));
        assert!(!usual("vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com"));
        for wrong in [
            "orders",
            "arn:aws:sqs:eu-west-1:17:orders",
            "https://host",
            "ftp://host/17/x",
        ] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
