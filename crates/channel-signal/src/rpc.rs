//! Requests to the daemon.

use std::time::Duration;

use channel_kit::http::{Body, HttpClient, HttpError, Method, Request, Streamed};
use channel_kit::{ProbeError, Probed};
use pairing_core::escape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{DaemonUrl, Number};

/// The longest explanation that is passed on, in characters.
const EXPLANATION: usize = 200;

/// The codes of signal-cli's JSON-RPC.
const UNTRUSTED: i64 = -4;
const LIMITED: i64 = -5;
const CAPTCHA: i64 = -6;
const IO: i64 = -3;

/// A request failed. What the daemon says is escaped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The daemon refuses it.
    #[error("{method}: {message}")]
    Refused {
        method: &'static str,
        code: i64,
        message: String,
        /// What became of it for the person, where the daemon says so, such as `UNREGISTERED_FAILURE`.
        outcome: Option<String>,
        /// How long Signal asks to wait.
        after: Option<Duration>,
    },
    /// Something stands between, or it is no signal-cli.
    #[error("{method}: the server answers with status {status}, and not as signal-cli does")]
    Elsewhere { method: &'static str, status: u16 },
    /// The response lacks what it should have.
    #[error("{method}: the daemon's answer lacks what it should have")]
    Malformed { method: &'static str },
    /// There was no response.
    #[error("{method}: {error}")]
    Http {
        method: &'static str,
        error: HttpError,
    },
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The daemon has no such account, or Signal does not know it any more.
    Account,
    /// The person's safety number has changed, and nobody has said that this is right.
    Identity,
    /// The person has no Signal, or the group is gone.
    Recipient,
    /// Signal wants a challenge solved.
    Challenge,
    /// There were too many requests.
    Limit,
    /// The network between the daemon and Signal.
    Network,
    /// Something else.
    Other,
}

impl CallError {
    /// What it is about.
    pub(crate) fn about(&self) -> About {
        let Self::Refused {
            code,
            message,
            outcome,
            ..
        } = self
        else {
            return About::Other;
        };
        match (outcome.as_deref(), *code) {
            (Some("IDENTITY_FAILURE"), _) | (_, UNTRUSTED) => About::Identity,
            (Some("UNREGISTERED_FAILURE" | "INVALID_PRE_KEY_FAILURE"), _) => About::Recipient,
            (Some("PROOF_REQUIRED_FAILURE"), _) | (_, CAPTCHA) => About::Challenge,
            (Some("RATE_LIMIT_FAILURE"), _) | (_, LIMITED) => About::Limit,
            (Some("NETWORK_FAILURE"), _) | (_, IO) => About::Network,
            _ if message.contains("account") || message.contains("not registered") => {
                About::Account
            }
            _ => About::Other,
        }
    }

    /// Whether the daemon may have done it.
    pub(crate) fn may_be_done(&self) -> bool {
        !matches!(
            self,
            Self::Refused { .. }
                | Self::Http {
                    error: HttpError::Connect | HttpError::Proxy(_) | HttpError::Request,
                    ..
                }
        )
    }
}

/// The daemon, for one account.
pub(crate) struct Rpc {
    http: HttpClient,
    url: DaemonUrl,
    account: Option<Number>,
}

impl Rpc {
    pub(crate) fn new(http: HttpClient, url: DaemonUrl, account: Option<Number>) -> Self {
        Self { http, url, account }
    }

    pub(crate) fn url(&self) -> &DaemonUrl {
        &self.url
    }

    /// Calls a method for the account. It is sent once.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        mut params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        if let Some(account) = &self.account {
            params["account"] = account.as_str().into();
        }
        self.plain(method, params, within).await
    }

    /// Calls a method of the daemon itself. It is sent once.
    pub(crate) async fn plain(
        &self,
        method: &'static str,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        let call = json!({ "jsonrpc": "2.0", "id": "1", "method": method, "params": params });
        let url = format!("{}/api/v1/rpc", self.url.as_str());
        let request = Request::new(Method::Post, &url).body(Body::json(&call));
        let response = self.http.send(request, within).await;
        let response = response.map_err(|error| CallError::Http { method, error })?;
        if response.status != 200 {
            let status = response.status;
            return Err(CallError::Elsewhere { method, status });
        }
        read(method, &response.bytes)
    }

    /// Opens the stream of events.
    pub(crate) async fn events(&self, within: Duration) -> Result<Streamed, CallError> {
        const METHOD: &str = "events";
        let mut url = format!("{}/api/v1/events", self.url.as_str());
        if let Some(account) = &self.account {
            url += "?account=%2B";
            url += account.as_str().trim_start_matches('+');
        }
        let request = Request::new(Method::Get, &url).header("accept", "text/event-stream");
        let opened = self.http.open(request, within).await;
        let stream = opened.map_err(|error| CallError::Http {
            method: METHOD,
            error,
        })?;
        match stream.status {
            200 if is_event_stream(stream.header("content-type")) => Ok(stream),
            // The daemon says nothing but this status.
            400 => Err(CallError::Refused {
                method: METHOD,
                code: -32602,
                message: "the daemon does not have this account".to_owned(),
                outcome: None,
                after: None,
            }),
            status => Err(CallError::Elsewhere {
                method: METHOD,
                status,
            }),
        }
    }
}

/// Whether a content type is that of server-sent events. A proxy may add parameters, such as a character set.
fn is_event_stream(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Asks the daemon whether it has the account.
pub(crate) async fn probe(rpc: &Rpc, within: Duration) -> Result<Probed, ProbeError> {
    #[derive(Deserialize)]
    struct Account {
        number: String,
    }
    const METHOD: &str = "listAccounts";
    let asked = rpc.call(METHOD, json!({}), within).await;
    let accounts = asked.and_then(|accounts| {
        serde_json::from_value::<Vec<Account>>(accounts)
            .map_err(|_| CallError::Malformed { method: METHOD })
    });
    let accounts = accounts.map_err(|error| ProbeError::of(&error, false))?;
    let is_meant = |account: &&Account| match &rpc.account {
        Some(number) => account.number == number.as_str(),
        None => accounts.len() == 1,
    };
    match accounts.iter().find(is_meant) {
        Some(account) => Ok(Probed::named(&account.number)),
        None => Err(ProbeError::Refused {
            reason: format!(
                "the daemon does not have this account; it has {}",
                accounts.len()
            ),
        }),
    }
}

/// Reads the answer to a call.
pub(crate) fn read(method: &'static str, bytes: &[u8]) -> Result<Value, CallError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        result: Option<Value>,
        #[serde(default)]
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        code: i64,
        #[serde(default)]
        message: String,
        #[serde(default)]
        data: Value,
    }
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|_| CallError::Malformed { method })?;
    match answer {
        Answer {
            error: Some(refusal),
            ..
        } => {
            let (outcome, after) = outcome(&refusal.data["response"]);
            let message = escape(&refusal.message).limit(EXPLANATION).to_string();
            Err(CallError::Refused {
                method,
                code: refusal.code,
                message,
                outcome,
                after,
            })
        }
        Answer {
            result: Some(result),
            ..
        } => Ok(result),
        _ => Err(CallError::Malformed { method }),
    }
}

/// The outcome for the first recipient that the message did not reach.
fn outcome(response: &Value) -> (Option<String>, Option<Duration>) {
    let failed = response["results"].as_array().and_then(|results| {
        let is_failure = |result: &&Value| result["type"] != "SUCCESS";
        results.iter().find(is_failure)
    });
    let Some(failed) = failed else {
        return (None, None);
    };
    let kind = failed["type"].as_str();
    let kind = kind.map(|kind| escape(kind).limit(EXPLANATION).to_string());
    let after = failed["retryAfterSeconds"].as_u64();
    (kind, after.map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> CallError {
        read("send", text.as_bytes()).unwrap_err()
    }

    #[test]
    fn refusals_say_what_they_are_about() {
        let of = |kind: &str, code: i64| {
            let data = json!({ "response": { "results": [
                { "type": "SUCCESS" },
                { "type": kind, "retryAfterSeconds": 60, "token": "hunter2" },
            ] } });
            let error = json!({ "code": code, "message": "Failed to send message", "data": data });
            refusal(&json!({ "jsonrpc": "2.0", "id": "1", "error": error }).to_string())
        };
        for (kind, code, about) in [
            ("IDENTITY_FAILURE", -4, About::Identity),
            ("UNREGISTERED_FAILURE", -1, About::Recipient),
            ("PROOF_REQUIRED_FAILURE", -5, About::Challenge),
            ("RATE_LIMIT_FAILURE", -5, About::Limit),
            ("NETWORK_FAILURE", -1, About::Network),
        ] {
            let error = of(kind, code);
            assert_eq!(error.about(), about, "{kind}");
            assert!(!format!("{error}{error:?}").contains("hunter2"));
            assert!(!error.may_be_done());
        }
        // As the real daemon says them.
        for (text, about) in [
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"Specified account does not exist","data":null},"id":3}"#,
                About::Account,
            ),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"Method requires valid account parameter","data":null},"id":3}"#,
                About::Account,
            ),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-3,"message":"Link request error: Connection closed!","data":null},"id":4}"#,
                About::Network,
            ),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not implemented","data":null},"id":4}"#,
                About::Other,
            ),
        ] {
            assert_eq!(refusal(text).about(), about, "{text}");
        }
    }

    #[test]
    fn a_stream_of_events_is_known_by_its_type() {
        for of_events in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
            assert!(is_event_stream(Some(of_events)), "{of_events}");
        }
        for other in [
            None,
            Some(""),
            Some("text/html"),
            Some("text/event-streams"),
        ] {
            assert!(!is_event_stream(other), "{other:?}");
        }
    }

    #[test]
    fn answers_that_are_none() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"result":null}"#,
            r#"{"error":{"code":"x"}}"#,
        ] {
            let error = refusal(text);
            assert_eq!(error, CallError::Malformed { method: "send" }, "{text}");
            assert!(error.may_be_done());
        }
        let shown = refusal(r#"{"error":{"code":1,"message":"a\u001b[31mb"}}"#).to_string();
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
