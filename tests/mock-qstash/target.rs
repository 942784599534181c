//! Finds the destination in a raw request target, where it stands unescaped with its own query.

use axum::http::Uri;
use reqwest::Url;

use super::failed::Failed;

/// Where a request to publish wants its message, and the options that stood in its query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) queue: Option<String>,
    pub(crate) destination: String,
    pub(crate) options: Vec<(String, String)>,
}

impl Target {
    pub(crate) fn publish(uri: &Uri) -> Result<Self, Failed> {
        Self::after("/v2/publish/", uri)
    }

    pub(crate) fn enqueue(uri: &Uri) -> Result<Self, Failed> {
        let mut target = Self::after("/v2/enqueue/", uri)?;
        let (queue, destination) = target
            .destination
            .split_once('/')
            .ok_or_else(no_destination)?;
        (target.queue, target.destination) = (Some(queue.to_owned()), destination.to_owned());
        Ok(target)
    }

    fn after(prefix: &str, uri: &Uri) -> Result<Self, Failed> {
        let mut destination = uri
            .path()
            .strip_prefix(prefix)
            .ok_or_else(no_destination)?
            .to_owned();
        let mut options = Vec::new();
        let mut separator = '?';
        for raw in uri.query().into_iter().flat_map(|query| query.split('&')) {
            if let Some(option) = option(raw) {
                options.push(option);
                continue;
            }
            destination.push(separator);
            destination.push_str(raw);
            separator = '&';
        }
        Ok(Self {
            queue: None,
            destination,
            options,
        })
    }
}

fn no_destination() -> Failed {
    Failed::bad_request("the destination is missing")
}

/// The option that this part of a query sets; the token is one too, though not of the message.
fn option(raw: &str) -> Option<(String, String)> {
    let (name, value) = pairs(raw).pop()?;
    let option = name
        .strip_prefix("upstash-")
        .or((name == "qstash_token").then_some(""))?;
    Some((option.to_owned(), value))
}

/// The names and values of a query.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let url = Url::parse(&format!("query:?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(target: &str) -> Target {
        Target::publish(&target.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_destination_is_taken_raw_and_with_its_query() {
        let target = publish("/v2/publish/https://app.example.com/c%2Fd?x=1&y=a%20b");
        assert_eq!(
            target.destination,
            "https://app.example.com/c%2Fd?x=1&y=a%20b"
        );
        assert_eq!(target.options, []);
    }

    #[test]
    fn options_in_the_query_are_not_the_destinations() {
        let target = publish(
            "/v2/publish/http://a.b/?upstash-retries=0&x=1&qstash_token=t&upstash-delay=1%30s&y",
        );
        assert_eq!(target.destination, "http://a.b/?x=1&y");
        assert_eq!(target.options[0], ("retries".to_owned(), "0".to_owned()));
        assert_eq!(target.options[2], ("delay".to_owned(), "10s".to_owned()));
    }

    #[test]
    fn a_queue_stands_before_the_destination() {
        let target = Target::enqueue(&"/v2/enqueue/q-1/http://a.b//c/?d".parse().unwrap()).unwrap();
        assert_eq!(target.queue.as_deref(), Some("q-1"));
        assert_eq!(target.destination, "http://a.b//c/?d");
    }
}
