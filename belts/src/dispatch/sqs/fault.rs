//! What can go wrong with SQS, and which error the caller sees.

use std::{error::Error as StdError, fmt, sync::Arc};

use aws_sdk_sqs::{
    error::{BuildError, ProvideErrorMetadata, SdkError},
    types::BatchResultErrorEntry,
};

use crate::error::{Error, ErrorKind};

/// A failure of a call, or of one entry of a call. Clones are the same failure: one call may fail for many messages.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    cause: Cause,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Silence,
    Unreachable,
    NoQueue,
    NoRight,
    Credentials,
    Region,
    Throttled,
    TooLarge,
    /// The message itself is wrong, for example the name of an attribute.
    Message,
    /// Another receiver has the delivery now, or it is gone.
    Late,
    Other,
}

impl Fault {
    pub(super) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let Some(service) = error.as_service_error() else {
            let cause = match &error {
                SdkError::TimeoutError(_) => Cause::Silence,
                SdkError::DispatchFailure(failure) if failure.is_timeout() => Cause::Silence,
                SdkError::DispatchFailure(failure) if failure.is_io() => Cause::Unreachable,
                _ => Cause::Other,
            };
            let source = Source::Sdk(Arc::new(error));
            return Self { cause, source };
        };
        let code = service.code().unwrap_or("unknown error");
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        // An unknown code is classified by its status.
        let sender = status.is_some_and(|status| status == 400);
        Self::answered(code, service.message().unwrap_or_default(), sender)
    }

    /// One entry of a batch that was rejected.
    pub(super) fn entry(entry: &BatchResultErrorEntry) -> Self {
        let message = entry.message().unwrap_or_default();
        Self::answered(entry.code(), message, entry.sender_fault())
    }

    /// A message that cannot be written as a request.
    pub(super) fn unwritten(error: BuildError) -> Self {
        Self {
            cause: Cause::Message,
            source: Source::Sdk(Arc::new(error)),
        }
    }

    /// A response without a required part.
    pub(super) fn unanswered() -> Self {
        Self {
            cause: Cause::Other,
            source: Source::Answer("it does not say what happened to the message".into()),
        }
    }

    fn answered(code: &str, message: &str, sender: bool) -> Self {
        Self {
            cause: cause(code, message, sender),
            source: Source::Answer(format!("{code}: {message}").into()),
        }
    }

    /// Whether another message could be accepted instead.
    pub(super) fn is_of_message(&self) -> bool {
        matches!(self.cause, Cause::Message | Cause::TooLarge)
    }

    /// The error that the caller sees. Problems with the queue or with permissions may be fixed while the worker runs.
    pub(super) fn to_error(&self, queue: &str) -> Error {
        let kind = match self.cause {
            Cause::TooLarge => ErrorKind::TooLarge,
            Cause::Message => ErrorKind::Config,
            _ => ErrorKind::Dispatcher,
        };
        self.with_kind(kind, queue)
    }

    /// The error of a queue that cannot be opened; if a setting is at fault, it says what to set.
    pub(super) fn into_opening_error(self, queue: &str) -> Error {
        let kind = match self.cause {
            Cause::Silence | Cause::Unreachable | Cause::Throttled | Cause::Late | Cause::Other => {
                ErrorKind::Dispatcher
            }
            _ => ErrorKind::Config,
        };
        self.with_kind(kind, queue)
    }

    fn with_kind(&self, kind: ErrorKind, queue: &str) -> Error {
        let message = format!("the SQS queue `{queue}` {}", self.cause.what());
        Error::new(kind, message).with_source(self.source.clone())
    }
}

/// What an error code of the service means. There are the codes of its JSON protocol, and those of the older one that some
/// compatible servers still use.
fn cause(code: &str, message: &str, sender: bool) -> Cause {
    let code = code.rsplit(['.', '#']).next().unwrap_or(code);
    match code {
        "QueueDoesNotExist" | "NonExistentQueue" | "QueueDeletedRecently" => Cause::NoQueue,
        _ if message.contains("valid region") => Cause::Region,
        "InvalidAddress" => Cause::Region,
        "AccessDenied" | "AccessDeniedException" | "KmsAccessDenied" | "InvalidSecurity" => {
            Cause::NoRight
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "ExpiredToken"
        | "ExpiredTokenException" => Cause::Credentials,
        "RequestThrottled"
        | "ThrottlingException"
        | "Throttling"
        | "OverLimit"
        | "KmsThrottled" => Cause::Throttled,
        "BatchRequestTooLong" => Cause::TooLarge,
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => Cause::Late,
        // The same for an older receipt, where only the text tells.
        "InvalidParameterValue" if message.contains("ReceiptHandle") => Cause::Late,
        "InvalidMessageContents"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "InvalidParameterValue"
        | "InvalidParameterValueException"
        | "MissingParameter"
        | "UnsupportedOperation" => Cause::Message,
        _ if sender => Cause::Message,
        _ => Cause::Other,
    }
}

impl Cause {
    fn what(self) -> &'static str {
        match self {
            Self::Silence => "does not respond in time",
            Self::Unreachable => "cannot be reached",
            Self::NoQueue => "does not exist: check its URL, account and region, or create it",
            Self::NoRight => {
                "refuses these credentials a right: allow sqs:GetQueueAttributes, sqs:SendMessage, sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on it, and sqs:SendMessage on its dead-letter queue"
            }
            Self::Credentials => {
                "refuses the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile or role that gives them"
            }
            Self::Region => "is in another region: set `region` to the one of the queue",
            Self::Throttled => "accepts no more calls at the moment",
            Self::TooLarge => {
                "accepts no message of this size; store the large part elsewhere and publish its location"
            }
            Self::Message => "rejects the message or its options",
            Self::Late => "has delivered the message to another receiver, or no longer has it",
            Self::Other => "failed",
        }
    }
}

/// The cause: an error of the SDK, or the service's response.
#[derive(Debug, Clone)]
enum Source {
    Sdk(Arc<dyn StdError + Send + Sync>),
    Answer(Arc<str>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sdk(error) => error.fmt(f),
            Self::Answer(text) => f.write_str(text.trim_end_matches(": ")),
        }
    }
}

impl StdError for Source {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Sdk(error) => error.source(),
            Self::Answer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_answers_says_whether_to_try_again() {
        let scoped = "Credential should be scoped to a valid region.";
        let cases = [
            (
                "AWS.SimpleQueueService.NonExistentQueue",
                "",
                ErrorKind::Config,
                "does not exist",
            ),
            (
                "com.amazonaws.sqs#QueueDoesNotExist",
                "",
                ErrorKind::Config,
                "does not exist",
            ),
            (
                "AccessDeniedException",
                "",
                ErrorKind::Config,
                "sqs:GetQueueAttributes",
            ),
            (
                "InvalidClientTokenId",
                "",
                ErrorKind::Config,
                "AWS_ACCESS_KEY_ID",
            ),
            (
                "SignatureDoesNotMatch",
                scoped,
                ErrorKind::Config,
                "`region`",
            ),
            (
                "RequestThrottled",
                "",
                ErrorKind::Dispatcher,
                "at the moment",
            ),
            ("InternalError", "", ErrorKind::Dispatcher, "failed"),
        ];
        for (code, message, kind, part) in cases {
            let fault = Fault::answered(code, message, false);
            let error = fault.clone().into_opening_error("orders");
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().contains(part), "{code}: {error}");
            assert!(fault.to_error("orders").is_retryable(), "{code}");
        }
        let refused = Fault::answered("SomethingNew", "no", true).to_error("orders");
        assert!(!refused.is_retryable(), "the sender is at fault");
        assert!(
            refused.report().ends_with("SomethingNew: no"),
            "{}",
            refused.report()
        );
    }
}
