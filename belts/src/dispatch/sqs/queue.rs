//! The attributes of a queue.

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;

use super::{client::Link, fault::Fault};
use crate::error::{Error, ErrorKind, Result};

/// The size limit of a message if the queue does not reveal it, and the minimum for a call.
const USUAL_SIZE: usize = 256 * 1024;

/// A queue's attributes that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Queue {
    /// The last part of its URL.
    pub(super) name: String,
    pub(super) fifo: bool,
    pub(super) visibility: Duration,
    /// The size limit of a message in bytes, including its attributes.
    pub(super) max_bytes: usize,
    /// The ARN of the dead-letter queue.
    pub(super) dead_letters: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

impl Queue {
    /// Requests them.
    pub(super) async fn ask(link: &Link) -> Result<Self> {
        let name = name(&link.url);
        let answer = link
            .client
            .get_queue_attributes()
            .queue_url(&link.url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await;
        let answer = answer.map_err(|error| Fault::of(error).into_opening_error(name))?;
        let attributes = answer.attributes.unwrap_or_default();
        Self::read(name, &attributes)
    }

    fn read(name: &str, attributes: &HashMap<QueueAttributeName, String>) -> Result<Self> {
        use QueueAttributeName as Name;
        let number = |attribute| attributes.get(&attribute)?.parse::<u32>().ok();
        let max_bytes = number(Name::MaximumMessageSize).and_then(|bytes| bytes.try_into().ok());
        let policy = attributes.get(&Name::RedrivePolicy);
        Ok(Self {
            name: name.to_owned(),
            fifo: has_fifo_ending(name)
                || attributes
                    .get(&Name::FifoQueue)
                    .is_some_and(|it| it == "true"),
            visibility: Duration::from_secs(number(Name::VisibilityTimeout).unwrap_or(30).into()),
            max_bytes: max_bytes.unwrap_or(USUAL_SIZE),
            dead_letters: policy.map(|json| read_policy(name, json)).transpose()?,
        })
    }

    /// The size limit of all messages of one call: the same as of a single message.
    pub(super) fn max_batch_bytes(&self) -> usize {
        self.max_bytes.max(USUAL_SIZE)
    }
}

fn read_policy(queue: &str, json: &str) -> Result<String> {
    let policy: RedrivePolicy = serde_json::from_str(json).map_err(|error| {
        let message = format!("the redrive policy of the SQS queue `{queue}` is invalid");
        Error::new(ErrorKind::Config, message).with_source(error)
    })?;
    Ok(policy.dead_letter_target_arn)
}

/// The queue that an ARN names, as a sibling of a queue's URL: a queue and its dead-letter queue are always in one region.
pub(super) fn beside(url: &str, arn: &str) -> Option<String> {
    let mut parts = arn.rsplit(':');
    let (name, account) = (parts.next()?, parts.next()?);
    let (with_account, _) = url.rsplit_once('/')?;
    let (place, _) = with_account.rsplit_once('/')?;
    Some(format!("{place}/{account}/{name}"))
}

/// The name of a queue: the last part of its URL or ARN.
pub(super) fn name(queue: &str) -> &str {
    queue.rsplit(['/', ':']).next().unwrap_or(queue)
}

pub(super) fn has_fifo_ending(queue: &str) -> bool {
    queue.strip_suffix(".fifo").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_and_have_usual_values() {
        let usual = Queue::read("orders.fifo", &HashMap::new()).unwrap();
        assert_eq!((usual.fifo, usual.max_bytes), (true, USUAL_SIZE));
        let policy =
            r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:17:dead","maxReceiveCount":"3"}"#;
        let attributes = HashMap::from([
            (QueueAttributeName::VisibilityTimeout, "7".to_owned()),
            (QueueAttributeName::MaximumMessageSize, "1024".to_owned()),
            (QueueAttributeName::RedrivePolicy, policy.to_owned()),
        ]);
        let queue = Queue::read("orders", &attributes).unwrap();
        assert_eq!(queue.visibility, Duration::from_secs(7));
        assert_eq!((queue.fifo, queue.max_bytes), (false, 1024));
        assert_eq!(queue.max_batch_bytes(), USUAL_SIZE);
        assert_eq!(
            queue.dead_letters.as_deref(),
            Some("arn:aws:sqs:eu-west-1:17:dead")
        );
    }

    #[test]
    fn dead_letter_queue_is_found_beside_the_queue() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
        let dead = "https://sqs.eu-west-1.amazonaws.com/17/dead";
        assert_eq!(
            beside(url, "arn:aws:sqs:eu-west-1:17:dead").as_deref(),
            Some(dead)
        );
    }
}
