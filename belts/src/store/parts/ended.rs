//! What is told of the end of a run that another one has started.

use crate::store::RunStatus;

/// What an event of the type [`ENDED`](crate::store::ENDED) says: how a run ended, and its output or failure as an envelope. Without a
/// status it was skipped.
///
/// ```
/// use belts::store::{RunStatus, parts::ended};
/// let completed = ended(Some(RunStatus::Completed), Some(br#"{"v":1,"ok":7}"#));
/// assert_eq!(completed, *br#"{"status":"completed","result":{"v":1,"ok":7}}"#);
/// assert_eq!(ended(None, None), *br#"{"status":"skipped","result":null}"#);
/// ```
pub fn ended(status: Option<RunStatus>, result: Option<&[u8]>) -> Vec<u8> {
    ended_as(status.map_or("skipped", RunStatus::as_str), result)
}

/// The same, with any word for how it ended.
pub(in crate::store) fn ended_as(status: &str, result: Option<&[u8]>) -> Vec<u8> {
    let result = result.unwrap_or(b"null");
    let parts: [&[u8]; 5] = [
        b"{\"status\":\"",
        status.as_bytes(),
        b"\",\"result\":",
        result,
        b"}",
    ];
    parts.concat()
}
