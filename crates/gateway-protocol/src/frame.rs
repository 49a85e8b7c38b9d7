//! Frames: requests, responses and events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ErrorShape, params};

/// A request as the gateway reads it. The method's handler parses the parameters.
#[derive(Debug, Clone)]
pub struct Request {
    /// Id that the response will carry.
    pub id: String,
    /// Name of the method.
    pub method: String,
    /// Parameters, as unparsed JSON text.
    pub params: Option<Box<RawValue>>,
}

/// Error for a message that is not a valid request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The message is not JSON or not UTF-8.
    #[error("not JSON")]
    NotJson,
    /// The message is JSON, but not a request.
    #[error("invalid request frame: {reason}")]
    NotRequest {
        /// Id of the request, if it has one.
        id: Option<String>,
        /// Description of the fault.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest<'t> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'t, str>,
    #[serde(borrow)]
    id: Cow<'t, str>,
    #[serde(borrow)]
    method: Cow<'t, str>,
    #[serde(borrow)]
    params: Option<&'t RawValue>,
}

impl Request {
    /// Parses a text or binary message. Costs one pass over it and a copy of the parameters.
    pub fn parse(message: &[u8]) -> Result<Self, FrameError> {
        let Ok(text) = std::str::from_utf8(message) else {
            return Err(FrameError::NotJson);
        };
        let raw: RawRequest<'_> = match serde_json::from_str(text) {
            Ok(raw) => raw,
            Err(error) => return Err(FrameError::of(text, &error)),
        };
        let wrong = if !params::is_object(text) {
            Some("expected an object")
        } else if raw.kind != "req" {
            Some("at type: expected \"req\"")
        } else if raw.id.is_empty() {
            Some("at id: must not be empty")
        } else if raw.method.is_empty() {
            Some("at method: must not be empty")
        } else {
            None
        };
        match wrong {
            None => Ok(Self {
                id: raw.id.into_owned(),
                method: raw.method.into_owned(),
                params: raw.params.map(ToOwned::to_owned),
            }),
            Some(reason) => Err(FrameError::NotRequest {
                id: Some(raw.id.into_owned()).filter(|id| !id.is_empty()),
                reason: reason.to_owned(),
            }),
        }
    }
}

impl FrameError {
    fn of(text: &str, error: &serde_json::Error) -> Self {
        #[derive(Deserialize)]
        struct Id {
            id: Option<serde_json::Value>,
        }
        if error.is_syntax() || error.is_eof() {
            return Self::NotJson;
        }
        if !params::is_object(text) {
            let reason = "expected an object".to_owned();
            return Self::NotRequest { id: None, reason };
        }
        let id = serde_json::from_str(text)
            .ok()
            .and_then(|Id { id }| Some(id?.as_str()?.to_owned()));
        Self::NotRequest {
            id: id.filter(|id| !id.is_empty()),
            reason: params::concise(error),
        }
    }
}

/// A request as a client writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "req")]
pub struct RequestFrame<'f, P> {
    /// Id that the response will carry.
    pub id: &'f str,
    /// Name of the method.
    pub method: &'f str,
    /// Parameters of the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<P>,
}

/// A response as the gateway writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "res")]
pub struct Response<'f, P> {
    /// Id of the request.
    pub id: &'f str,
    /// Whether the request succeeded: `true` with a payload, `false` with an error.
    pub ok: bool,
    /// Result of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
    /// Error, if the request failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'f ErrorShape>,
}

impl<'f, P> Response<'f, P> {
    /// Returns the response to the request with this id.
    pub fn new(id: &'f str, answer: Result<P, &'f ErrorShape>) -> Self {
        let ok = answer.is_ok();
        let (payload, error) = match answer {
            Ok(payload) => (Some(payload), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            id,
            ok,
            payload,
            error,
        }
    }
}

/// Version counters of the parts of the `hello-ok` snapshot; each change increments one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// Version of the presence list.
    pub presence: u64,
    /// Version of the health.
    pub health: u64,
}

/// An event as the gateway writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "event", rename_all = "camelCase")]
pub struct Event<'f, P> {
    /// Name of the event: see [`event`](crate::event).
    pub event: &'f str,
    /// Payload of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
    /// Sequence number on this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Versions of the snapshot after this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_version: Option<StateVersion>,
}

/// A message from the gateway, as a client reads it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServerFrame {
    /// A response to one of the client's requests.
    Response {
        /// Id of the request.
        id: String,
        /// Payload of the response, or its error.
        answer: Result<Option<Box<RawValue>>, ErrorShape>,
    },
    /// An event.
    Event {
        /// Name of the event.
        event: String,
        /// Payload of the event.
        payload: Option<Box<RawValue>>,
        /// Sequence number on this connection.
        seq: Option<u64>,
    },
    /// A frame of an unknown kind, to be ignored.
    Unknown,
}

#[derive(Deserialize)]
struct RawServerFrame {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    ok: Option<bool>,
    event: Option<String>,
    payload: Option<Box<RawValue>>,
    error: Option<ErrorShape>,
    seq: Option<u64>,
}

impl ServerFrame {
    /// Parses a message. Unknown properties are ignored.
    pub fn parse(message: &[u8]) -> Result<Self, FrameError> {
        let not_json = |_| FrameError::NotJson;
        let text = std::str::from_utf8(message).map_err(|_| FrameError::NotJson)?;
        let raw: RawServerFrame = serde_json::from_str(text).map_err(not_json)?;
        Ok(match (raw.kind.as_str(), raw.id, raw.event) {
            ("res", Some(id), _) => Self::Response {
                id,
                answer: match (raw.ok, raw.error) {
                    (Some(true), _) => Ok(raw.payload),
                    (_, Some(error)) => Err(error),
                    (_, None) => Err(ErrorShape::without_details(
                        crate::ErrorCode::Other,
                        "refused without a reason",
                    )),
                },
            },
            ("event", _, Some(event)) => Self::Event {
                event,
                payload: raw.payload,
                seq: raw.seq,
            },
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> FrameError {
        Request::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn requests_are_read_and_parameters_left_alone() {
        let request =
            Request::parse(br#"{"type":"req","id":"1","method":"health","params":{ "a" :1}}"#)
                .unwrap();
        assert_eq!((&*request.id, &*request.method), ("1", "health"));
        assert_eq!(request.params.unwrap().get(), r#"{ "a" :1}"#);
    }

    #[test]
    fn what_is_no_request_says_why() {
        assert_eq!(wrong("{"), FrameError::NotJson);
        assert_eq!(wrong("hello"), FrameError::NotJson);
        assert_eq!(
            Request::parse(&[0xff, 0xfe]).unwrap_err(),
            FrameError::NotJson
        );
        for (text, id, reason) in [
            ("[]", None, "expected an object"),
            (
                r#"["req","1","health",null]"#,
                Some("1"),
                "expected an object",
            ),
            (
                r#"{"type":"event","id":"7","method":"x"}"#,
                Some("7"),
                "at type: expected \"req\"",
            ),
            (
                r#"{"type":"req","id":"7"}"#,
                Some("7"),
                "missing field `method`",
            ),
            (
                r#"{"type":"req","id":7,"method":"x"}"#,
                None,
                "expected a string",
            ),
            (
                r#"{"type":"req","id":"7","method":""}"#,
                Some("7"),
                "at method: must not be empty",
            ),
            (
                r#"{"type":"req","id":"7","method":"x","more":1}"#,
                Some("7"),
                "unknown field `more`",
            ),
        ] {
            let FrameError::NotRequest {
                id: found,
                reason: said,
            } = wrong(text)
            else {
                panic!("{text}")
            };
            assert_eq!(found.as_deref(), id, "{text}");
            assert!(said.starts_with(reason), "{text}: {said}");
        }
    }

    #[test]
    fn responses_and_events_come_back_as_they_went() {
        let error = ErrorShape::invalid(crate::DetailCode::Internal, "no");
        let sent = serde_json::to_vec(&Response::<()>::new("1", Err(&error))).unwrap();
        let ServerFrame::Response { id, answer } = ServerFrame::parse(&sent).unwrap() else {
            panic!()
        };
        assert_eq!((id.as_str(), answer.unwrap_err()), ("1", error));
        let event = Event {
            event: "tick",
            payload: Some(serde_json::json!({ "ts": 1 })),
            seq: Some(3),
            state_version: None,
        };
        let sent = serde_json::to_string(&event).unwrap();
        assert_eq!(
            sent,
            r#"{"type":"event","event":"tick","payload":{"ts":1},"seq":3}"#
        );
        assert!(matches!(
            ServerFrame::parse(sent.as_bytes()),
            Ok(ServerFrame::Event { event, seq: Some(3), .. }) if event == "tick"
        ));
    }
}
