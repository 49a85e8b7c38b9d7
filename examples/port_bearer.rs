//! A port: a gateway over HTTP, whose clients present bearer tokens, and whose senders say `/bind CODE` in the chat.
//!
//! Such a gateway knows its clients by the hash of a token: [`Bearers`](pairing_core::Bearers), with the tokens that
//! its clients have already. One client delivers the messages of a chat system; the
//! owner's decides about senders. A stranger is not shown the code: the owner reads it from the list of requests,
//! tells it to the person by other means, and that person sends it as `/bind CODE`. So the code proves that the owner
//! told it to this sender. A code that the owner issues before anybody has written is not part of this program.
//! Everything between the gateway and the library is between the two marks below: 55 lines.
//!
//! ```sh
//! cargo run -p examples --example port_bearer -- ./state
//! cargo test -p examples --example port_bearer
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use pairing_async::{AsyncAccount, AsyncBearers, AsyncError, AsyncPairing};
use pairing_core::{
    Approver, AuthenticatedBearer, NewBearer, PairingBuilder, Requested, Scope, ScopeSet, Sender,
};
use pairing_fs::{SystemClock, SystemEntropy};
use pairing_sqlite::OwnStore;
use serde::{Deserialize, Serialize};

/// A message, as the client of the chat system delivers it.
#[derive(Deserialize)]
struct Message {
    sender: String,
    text: String,
}

/// What to send back to the sender, if anything.
#[derive(Debug, PartialEq, Serialize)]
struct Answer {
    reply: Option<String>,
}

/// A sender who waits for the owner.
#[derive(Serialize)]
struct Waiting {
    sender: String,
    code: String,
}

struct Gateway {
    gate: AsyncAccount,
    bearers: AsyncBearers,
}

// Glue begins.
/// Which client presents the token of a request.
async fn client(
    bearers: &AsyncBearers,
    headers: &HeaderMap,
) -> Result<AuthenticatedBearer, StatusCode> {
    let header = headers.get(header::AUTHORIZATION);
    let bearer = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let presented = bearer.ok_or(StatusCode::UNAUTHORIZED)?;
    let client = bearers.verify_text(presented).await.map_err(status)?;
    client.ok_or(StatusCode::UNAUTHORIZED)
}

/// Any error of the library, by what the client can do about it.
fn status<E: std::error::Error>(error: AsyncError<E>) -> StatusCode
where
    pairing_core::Error: From<E>,
{
    let AsyncError::Decision(error) = error else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match pairing_core::Error::from(error) {
        error if error.is_locked_out() => StatusCode::TOO_MANY_REQUESTS,
        error if error.is_unavailable() || error.is_conflict() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What to send for a message, if anything. Nothing of a stranger's message is looked at but `/bind`.
async fn answer(gate: &AsyncAccount, message: &Message) -> Result<Option<String>, StatusCode> {
    let sender = Sender::new(message.sender.as_str());
    if let Some(code) = message.text.strip_prefix("/bind ") {
        let told = match gate.redeem(&message.sender, code).await.map_err(status) {
            Ok(_) => "You are in.",
            Err(StatusCode::BAD_REQUEST) => "This is no code for you.",
            Err(StatusCode::TOO_MANY_REQUESTS) => "Too many wrong codes. Try again later.",
            Err(failed) => return Err(failed),
        };
        return Ok(Some(told.to_owned()));
    }
    Ok(match gate.request_or_reuse(sender).await.map_err(status)? {
        Requested::Allowed(_) => Some(format!("You said: {}", message.text)),
        Requested::Created(_) => Some("Ask the owner for a code, and send /bind CODE.".to_owned()),
        _ => None,
    })
}

/// A client decides within the scopes of its token.
async fn approve(
    gate: &AsyncAccount,
    client: &AuthenticatedBearer,
    code: &str,
) -> Result<(), StatusCode> {
    let approving = gate.approve(code, &client.approver()).await;
    approving.map(|_| ()).map_err(status)
}
// Glue ends.

/// Whether a client holds a scope.
fn holds(client: &AuthenticatedBearer, scope: &str) -> Result<(), StatusCode> {
    let held = client.scopes().allows(scope);
    held.then_some(()).ok_or(StatusCode::FORBIDDEN)
}

async fn message(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    Json(message): Json<Message>,
) -> Result<Json<Answer>, StatusCode> {
    holds(&client(&gateway.bearers, &headers).await?, Scope::WRITE)?;
    let reply = answer(&gateway.gate, &message).await?;
    Ok(Json(Answer { reply }))
}

async fn requests(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Waiting>>, StatusCode> {
    holds(&client(&gateway.bearers, &headers).await?, Scope::PAIRING)?;
    let pending = gateway.gate.pending().await.map_err(status)?;
    let waiting = pending.requests.iter().map(|request| Waiting {
        sender: request.sender.to_string(),
        code: request.code.as_str().to_owned(),
    });
    Ok(Json(waiting.collect()))
}

async fn approval(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    code: String,
) -> Result<(), StatusCode> {
    let client = client(&gateway.bearers, &headers).await?;
    holds(&client, Scope::PAIRING)?;
    approve(&gateway.gate, &client, &code).await
}

fn service(gateway: Gateway) -> Router {
    Router::new()
        .route("/message", post(message))
        .route("/requests", get(requests))
        .route("/approve", post(approval))
        .with_state(Arc::new(gateway))
}

fn gateway(store: OwnStore) -> Result<Gateway, Box<dyn Error>> {
    let builder = PairingBuilder::new(store, SystemClock, SystemEntropy).bearer_clients(true);
    let pairing = AsyncPairing::new(builder.build());
    Ok(Gateway {
        gate: pairing.account("telegram", "default")?,
        bearers: pairing.bearers()?,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let state = std::env::args()
        .nth(1)
        .ok_or("usage: port_bearer <state-dir>")?;
    let store = OwnStore::open(&PathBuf::from(state).join("pairing.sqlite"))?;
    let gateway = gateway(store)?;
    // The first client is made by the person who starts the program.
    if gateway.bearers.list().await?.is_empty() {
        let (owner, by) = (
            NewBearer::new("owner", ScopeSet::admin()),
            Approver::terminal("owner"),
        );
        let token = gateway.bearers.issue(owner, &by).await?.token;
        writeln!(std::io::stdout(), "The owner's token: {}", token.expose())?;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, service(gateway)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use pairing_core::{Limits, SecretToken, TokenHash};

    use super::*;

    struct Setting {
        gateway: Arc<Gateway>,
        owner: SecretToken,
        chat: SecretToken,
        _dir: tempfile::TempDir,
    }

    async fn setting() -> Setting {
        let dir = tempfile::tempdir().unwrap();
        let store = OwnStore::open(&dir.path().join("pairing.sqlite")).unwrap();
        let gateway = gateway(store).unwrap();
        let by = Approver::terminal("owner");
        let admin = NewBearer::new("owner", ScopeSet::admin());
        let owner = gateway.bearers.issue(admin, &by).await.unwrap().token;
        // One that was issued by the program before this one.
        let chat = SecretToken::parse("zc_6f1d").unwrap();
        let write = Scope::parse(Scope::WRITE).unwrap();
        let writer = NewBearer::new("chat", [write].into_iter().collect());
        let taken = gateway.bearers.import(TokenHash::of(&chat), writer, &by);
        taken.await.unwrap();
        Setting {
            gateway: Arc::new(gateway),
            owner,
            chat,
            _dir: dir,
        }
    }

    fn bearer(token: &SecretToken) -> HeaderMap {
        let value = format!("Bearer {}", token.expose()).parse().unwrap();
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    impl Setting {
        async fn says(&self, sender: &str, text: &str) -> Option<String> {
            let (sender, text) = (sender.to_owned(), text.to_owned());
            let sent = Json(Message { sender, text });
            let answering = message(State(self.gateway.clone()), bearer(&self.chat), sent);
            answering.await.unwrap().0.reply
        }

        async fn waiting(&self, token: &SecretToken) -> Result<Vec<Waiting>, StatusCode> {
            let listing = requests(State(self.gateway.clone()), bearer(token));
            listing.await.map(|Json(waiting)| waiting)
        }
    }

    #[tokio::test]
    async fn a_sender_binds_with_the_code_that_the_owner_told_them() {
        let setting = setting().await;
        let told = setting.says("42", "hello").await;
        let waiting = setting.waiting(&setting.owner).await.unwrap();
        let code = &waiting[0].code;
        assert!(!told.unwrap().contains(code.as_str()));
        // It is no code for anybody else.
        setting.says("43", "hello").await;
        let told = setting.says("43", &format!("/bind {code}")).await;
        assert_eq!(told.as_deref(), Some("This is no code for you."));
        let told = setting.says("42", &format!("/bind {code}")).await;
        assert_eq!(told.as_deref(), Some("You are in."));
        let told = setting.says("42", "hello").await;
        assert_eq!(told.as_deref(), Some("You said: hello"));
    }

    #[tokio::test]
    async fn who_guesses_is_locked_out_and_nobody_else() {
        let setting = setting().await;
        setting.says("42", "hello").await;
        setting.says("43", "hello").await;
        for _ in 0..Limits::default().max_attempts {
            setting.says("43", "/bind AAAAAAAA").await;
        }
        let told = setting.says("43", "/bind AAAAAAAA").await;
        assert_eq!(
            told.as_deref(),
            Some("Too many wrong codes. Try again later.")
        );
        let told = setting.says("42", "/bind AAAAAAAA").await;
        assert_eq!(told.as_deref(), Some("This is no code for you."));
    }

    #[tokio::test]
    async fn a_client_does_no_more_than_its_token_was_issued_for() {
        let setting = setting().await;
        setting.says("42", "hello").await;
        let refused = setting.waiting(&setting.chat).await.err();
        assert_eq!(refused, Some(StatusCode::FORBIDDEN));
        let code = setting.waiting(&setting.owner).await.unwrap()[0]
            .code
            .clone();
        // Neither by the route, nor where a route forgets to ask: the library asks, too.
        let gateway = &setting.gateway;
        let chat = bearer(&setting.chat);
        let refused = approval(State(gateway.clone()), chat.clone(), code.clone()).await;
        assert_eq!(refused, Err(StatusCode::FORBIDDEN));
        let client = client(&gateway.bearers, &chat).await.unwrap();
        let refused = approve(&gateway.gate, &client, &code).await;
        assert_eq!(refused, Err(StatusCode::BAD_REQUEST));
        let owner = bearer(&setting.owner);
        approval(State(gateway.clone()), owner, code).await.unwrap();
        let told = setting.says("42", "hello").await;
        assert_eq!(told.as_deref(), Some("You said: hello"));
    }

    #[tokio::test]
    async fn an_unknown_token_opens_nothing() {
        let setting = setting().await;
        let unknown = SecretToken::generate(&SystemEntropy).unwrap();
        let refused = setting.waiting(&unknown).await.err();
        assert_eq!(refused, Some(StatusCode::UNAUTHORIZED));
        let none = requests(State(setting.gateway.clone()), HeaderMap::new());
        assert_eq!(none.await.err(), Some(StatusCode::UNAUTHORIZED));
        // Nor does one that was revoked.
        let bearers = &setting.gateway.bearers;
        let id = bearers.list().await.unwrap()[0].id();
        let owner = Approver::terminal("owner");
        bearers.revoke(&id, &owner).await.unwrap().unwrap();
        let left = [
            setting.waiting(&setting.owner).await.err(),
            setting.waiting(&setting.chat).await.err(),
        ];
        assert!(left.contains(&Some(StatusCode::UNAUTHORIZED)), "{left:?}");
    }

    #[test]
    fn the_glue_is_as_long_as_it_says() {
        examples::assert_glue("port_bearer", include_str!("port_bearer.rs"));
    }
}
