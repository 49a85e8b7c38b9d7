//! Frames: requests, responses, events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ErrorShape, params};

/// A request as the gateway reads it. Its parameters are read by whoever answers the method.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the response is found by.
    pub id: String,
    /// What is asked for.
    pub method: String,
    /// With what; untouched text.
    pub params: Option<Box<RawValue>>,
}

/// A message that is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not JSON, or not UTF-8.
    #[error("not JSON")]
    NotJson,
    /// JSON, but not a request.
    #[error("invalid request frame: {reason}")]
    NotRequest {
        /// Its id, where it has one.
        id: Option<String>,
        /// What is wrong with it.
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
    /// Reads a message, text or binary. Costs one pass over it and a copy of the parameters.
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
    /// What the response is found by.
    pub id: &'f str,
    /// What is asked for.
    pub method: &'f str,
    /// With what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<P>,
}

/// A response as the gateway writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "res")]
pub struct Response<'f, P> {
    /// The request's.
    pub id: &'f str,
    /// Whether there is a payload rather than an error.
    pub ok: bool,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'f ErrorShape>,
}

impl<'f, P> Response<'f, P> {
    /// The response to the request with this id.
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

/// How often what is in the snapshot of `hello-ok` has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// The list of connections.
    pub presence: u64,
    /// How the gateway is.
    pub health: u64,
}

/// An event as the gateway writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "event", rename_all = "camelCase")]
pub struct Event<'f, P> {
    /// Its name: see [`event`](crate::event).
    pub event: &'f str,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<P>,
    /// Its number on this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What the snapshot has become.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_version: Option<StateVersion>,
}

/// A message as a client reads it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServerFrame {
    /// To one of its requests.
    Response {
        /// The request's id.
        id: String,
        /// What came of it.
        answer: Result<Option<Box<RawValue>>, ErrorShape>,
    },
    /// Something happened.
    Event {
        /// What.
        event: String,
        /// More of it.
        payload: Option<Box<RawValue>>,
        /// Its number on this connection.
        seq: Option<u64>,
    },
    /// A frame of a kind that is not known, to be ignored.
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
    /// Reads a message. What it holds beyond what is known is ignored.
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
                    (_, None) => Err(ErrorShape::new(
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
        let error = ErrorShape::invalid("no");
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
