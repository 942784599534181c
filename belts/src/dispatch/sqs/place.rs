//! What the URL of a queue says of its place.

/// A queue's place: what precedes the account, and the region if the host is Amazon's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) region: Option<String>,
    /// The host is the one that the SDK finds by itself.
    pub(super) usual: bool,
}

/// Parses the URL of a queue.
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
