//! Requests to the Graph API.

mod error;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::{Body, HttpClient, Method, Request, Response};
use channel_kit::proxy::Proxies;
use channel_kit::{Backoff, ProbeError, Probed, first_bytes};
use pairing_core::{Entropy, Timestamp, escape};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::{AccessToken, ApiRoot, Pace, PhoneNumberId};

pub(crate) use error::{CallError, meaning};

const AGENT: &str = concat!("openclaw-pairing-rs/", env!("CARGO_PKG_VERSION"));

/// Attempts when the server fails.
const TRIES: u32 = 3;

/// The longest explanation of an error that is passed on, in characters.
const EXPLANATION: usize = 300;

/// The call that asks for the number itself.
const NUMBER: &str = "number";

/// A call, by the name that errors have for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    name: &'static str,
    method: Method,
    is_repeatable: bool,
}

impl Call {
    /// A call where twice does more than once.
    pub(crate) const fn new(name: &'static str, method: Method) -> Self {
        Self {
            name,
            method,
            is_repeatable: false,
        }
    }

    /// The same, where twice does no more than once.
    pub(crate) const fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }
}

/// The client of one number.
pub(crate) struct Api {
    client: HttpClient,
    root: ApiRoot,
    number: PhoneNumberId,
    token: AccessToken,
}

/// What Meta says of a number.
pub(crate) struct Found {
    /// Its name, or the number as it is shown.
    pub(crate) name: Option<String>,
}

impl Api {
    /// Reads the certificates that this machine trusts, unless the server is not encrypted: it blocks.
    pub(crate) fn new(
        root: ApiRoot,
        number: PhoneNumberId,
        token: AccessToken,
        proxies: &Proxies,
    ) -> io::Result<Self> {
        let client = if root.is_encrypted() {
            HttpClient::encrypted(proxies)?
        } else {
            HttpClient::unencrypted(proxies)?
        };
        Ok(Self {
            client,
            root,
            number,
            token,
        })
    }

    pub(crate) fn root(&self) -> &ApiRoot {
        &self.root
    }

    pub(crate) fn number(&self) -> &PhoneNumberId {
        &self.number
    }

    pub(crate) fn token(&self) -> &AccessToken {
        &self.token
    }

    /// What the server's clock shows now.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.client.server_time()
    }

    /// Asks for the number itself: whether the token may use it, and by which name people see it.
    pub(crate) async fn found(&self, within: Duration) -> Result<Found, CallError> {
        #[derive(Deserialize)]
        struct Answer {
            id: String,
            #[serde(default)]
            verified_name: Option<String>,
            #[serde(default)]
            display_phone_number: Option<String>,
        }
        const CALL: Call = Call::new(NUMBER, Method::Get);
        let path = "?fields=id,verified_name,display_phone_number";
        let response = self.once(CALL, path, None, within).await?;
        let answer: Answer = read(&response, NUMBER)?;
        if answer.id != self.number.as_str() {
            return Err(CallError::Malformed { call: NUMBER });
        }
        let names = [answer.verified_name, answer.display_phone_number];
        let name = names.into_iter().flatten().find(|name| !name.is_empty());
        Ok(Found {
            name: name.map(|name| first_bytes(name, EXPLANATION)),
        })
    }

    /// Makes a call of the number once. `path` follows the number's id.
    pub(crate) async fn once(
        &self,
        call: Call,
        path: &str,
        body: Option<Body>,
        within: Duration,
    ) -> Result<Response, CallError> {
        let name = call.name;
        let url = format!("{}/{}{path}", self.root.as_str(), self.number.as_str());
        let authorization = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut request = Request::new(call.method, &url)
            .header("user-agent", AGENT)
            .header("authorization", &authorization);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = self.client.send(request, within).await;
        let response = response.map_err(|error| CallError::Http { call: name, error })?;
        self.checked(name, response)
    }

    /// Makes a call, and repeats that while it may help: when the rate is limited, for as long as patience lasts; when the
    /// server fails or cannot be reached, a few times.
    pub(crate) async fn patient(
        &self,
        call: Call,
        path: &str,
        body: impl Fn() -> Body,
        pace: &Pace,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Response, CallError> {
        let mut backoff = Backoff::new(Arc::clone(entropy), pace.backoff);
        let until = Instant::now() + pace.patience;
        let mut tries = 0;
        loop {
            let sent = self.once(call, path, Some(body()), pace.call).await;
            let Err(error) = &sent else {
                return sent;
            };
            tries += u32::from(!error.is_limited());
            let wait = backoff.failed(None);
            let is_late = wait > until.saturating_duration_since(Instant::now());
            if !error.is_passing(call.is_repeatable) || tries >= TRIES || is_late {
                return sent;
            }
            sleep(wait).await;
        }
    }

    fn checked(&self, call: &'static str, response: Response) -> Result<Response, CallError> {
        let status = response.status;
        if let Some((code, text)) = refusal(&response.bytes) {
            // A server that repeats what it was sent does not spread it.
            let text = text.replace(self.token.expose(), "…");
            let text = escape(&text).limit(EXPLANATION).to_string();
            return Err(CallError::Refused { call, code, text });
        }
        if (200..300).contains(&status) {
            return Ok(response);
        }
        Err(CallError::Elsewhere { call, status })
    }
}

/// The code and the text of an answer that is an error.
pub(crate) fn refusal(bytes: &[u8]) -> Option<(i64, String)> {
    #[derive(Deserialize)]
    struct Answer {
        error: Failure,
    }
    #[derive(Deserialize)]
    struct Failure {
        #[serde(default)]
        message: String,
        #[serde(default)]
        code: i64,
        #[serde(default)]
        error_data: Option<Data>,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        details: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let details = answer.error.error_data.and_then(|data| data.details);
    let mut text = answer.error.message;
    if let Some(details) = details.filter(|details| !details.is_empty() && *details != text) {
        text = format!("{text}: {details}");
    }
    Some((answer.error.code, text))
}

/// Reads the whole answer to a call.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    response: &Response,
    call: &'static str,
) -> Result<T, CallError> {
    serde_json::from_slice(&response.bytes).map_err(|_| CallError::Malformed { call })
}

/// Asks Meta whether it accepts the token, and by which name people see the number.
pub(crate) async fn probe(api: &Api, within: Duration) -> Result<Probed, ProbeError> {
    let found = api.found(within).await;
    let found = found.map_err(|error| ProbeError::of(&error, error.is_final()))?;
    Ok(found.name.map_or_else(Probed::default, Probed::named))
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("root", &self.root)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_refusal() {
        let whole = br#"{"error":{"message":"(#131047) Re-engagement message","type":"OAuthException","code":131047,
            "error_data":{"messaging_product":"whatsapp","details":"Message failed to send."},"fbtrace_id":"A"}}"#;
        let (code, text) = refusal(whole).unwrap();
        assert_eq!(code, 131_047);
        assert_eq!(
            text,
            "(#131047) Re-engagement message: Message failed to send."
        );
        assert_eq!(refusal(br#"{"error":{}}"#), Some((0, String::new())));
        for none in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"error":7}"#,
            r#"{"messages":[{"id":"x"}]}"#,
        ] {
            assert_eq!(refusal(none.as_bytes()), None, "{none}");
        }
    }
}
