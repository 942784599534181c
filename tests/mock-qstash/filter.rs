//! Which messages a list, a cancel or a retry means.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use super::{message::Message, target::pairs};

/// The filter of a request: values of one name are alternatives, different names must all fit.
#[derive(Debug, Default)]
pub(crate) struct Filter(BTreeMap<String, Vec<String>>);

impl Filter {
    /// From the query; and from the JSON body, in which the Python SDK sends its ids.
    pub(crate) fn new(query: &str, body: &[u8]) -> Self {
        let mut filter = Self::default();
        for (name, value) in pairs(query) {
            filter.add(&name, &value);
        }
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            for (name, value) in &fields {
                let values = value
                    .as_array()
                    .map_or(std::slice::from_ref(value), Vec::as_slice);
                // An empty list of ids means none of the messages, not all.
                filter.0.entry(name.clone()).or_default();
                values
                    .iter()
                    .filter_map(Value::as_str)
                    .for_each(|value| filter.add(name, value));
            }
        }
        filter
    }

    /// Several values may stand in one, with commas between; but a URL may contain commas itself.
    fn add(&mut self, name: &str, value: &str) {
        let values = self.0.entry(name.to_owned()).or_default();
        match name {
            "url" | "path" => values.push(value.to_owned()),
            _ => values.extend(value.split(',').map(|part| part.trim().to_owned())),
        }
    }

    pub(crate) fn ids(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.first()?.parse().ok()
    }

    pub(crate) fn count(&self, most: u64) -> usize {
        let count = self.number("count").unwrap_or(most).clamp(1, most);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Whether the filter has no word about this name, or one of its words is the value.
    pub(crate) fn fits(&self, name: &str, value: Option<&str>) -> bool {
        let wanted = self.0.get(name);
        wanted.is_none_or(|wanted| wanted.iter().any(|wanted| Some(wanted.as_str()) == value))
    }

    pub(crate) fn fits_time(&self, millis: u64) -> bool {
        let from = self.number("fromDate").unwrap_or(0);
        (from..=self.number("toDate").unwrap_or(u64::MAX)).contains(&millis)
    }

    pub(crate) fn fits_message(&self, message: &Message) -> bool {
        let url = Url::parse(&message.url).ok();
        let flow = message.options.flow_control.as_ref();
        let labels = &message.options.labels;
        let fits_label = match labels.as_slice() {
            [] => self.fits("label", None),
            labels => labels.iter().any(|label| self.fits("label", Some(label))),
        };
        fits_label
            && self.fits("messageId", Some(&message.id))
            && self.fits("messageIds", Some(&message.id))
            && self.fits("url", Some(&message.url))
            && self.fits("topicName", message.group.as_deref())
            && self.fits("queueName", message.queue.as_deref())
            && self.fits("scheduleId", None)
            && self.fits("callerIp", Some(&message.caller_ip))
            && self.fits("callerIP", Some(&message.caller_ip))
            && self.fits("flowControlKey", flow.map(|flow| flow.key.as_str()))
            && self.fits("host", url.as_ref().and_then(Url::host_str))
            && self.fits("path", url.as_ref().map(Url::path))
    }
}
