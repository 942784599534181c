//! Encodes a body: unchanged if SQS accepts its characters, otherwise in base64.

use std::{borrow::Cow, collections::HashMap};

use aws_sdk_sqs::types::MessageAttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Fault;

/// The attribute that names the encoding of a body, if it has one.
pub(super) const ENCODING: &str = "belts-encoding";
const BASE64: &str = "base64";

/// Attributes by name.
pub(super) type Attributes = HashMap<String, MessageAttributeValue>;

/// A body as text that SQS accepts, and whether it is in base64.
pub(super) fn write(body: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(body) {
        Ok(text) if text.chars().all(is_taken) => (Cow::Borrowed(text), false),
        _ => (Cow::Owned(STANDARD.encode(body)), true),
    }
}

/// The body of a received message. One that is not what its attribute says is left for the worker to refuse.
pub(super) fn read(text: &str, attributes: Option<&Attributes>) -> Vec<u8> {
    let encoding = attributes
        .and_then(|all| all.get(ENCODING))
        .and_then(MessageAttributeValue::string_value);
    let decoded = match encoding {
        Some(BASE64) => STANDARD.decode(text).ok(),
        _ => None,
    };
    decoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The attribute of a body in base64.
pub(super) fn encoding() -> Result<MessageAttributeValue, Fault> {
    text(BASE64)
}

/// An attribute of text.
pub(super) fn text(value: &str) -> Result<MessageAttributeValue, Fault> {
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value);
    attribute.build().map_err(Fault::unwritten)
}

/// Whether SQS accepts a character; the service documents which.
pub(super) fn is_taken(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_comes_back_byte_for_byte() {
        let plain = "{\"name\":\"Zo\u{eb} \u{1F980}\"}\r\n\t";
        let odd = ["\u{ffff}".as_bytes(), &[0, 159, 146, 150], b"\x01"];
        assert!(!write(plain.as_bytes()).1, "it can be read in the console");
        for body in odd.into_iter().chain([plain.as_bytes()]) {
            let (text, encoded) = write(body);
            assert!(text.chars().all(is_taken));
            let attributes = Attributes::from([(ENCODING.to_owned(), encoding().unwrap())]);
            assert_eq!(read(&text, encoded.then_some(&attributes)), body);
        }
    }

    #[test]
    fn body_that_is_not_base64_is_left_as_it_is() {
        let attributes = Attributes::from([(ENCODING.to_owned(), encoding().unwrap())]);
        assert_eq!(read("{}", Some(&attributes)), b"{}");
    }
}
