//! An HTTP service that gates the messages of a chat system's webhook: axum and `pairing-async`.
//!
//! ```sh
//! cargo run -p examples --example axum_service -- ./state
//! curl -d '{"sender":"12345","text":"hello"}' -H 'content-type: application/json' http://127.0.0.1:8080/message
//! ```
//!
//! A stranger gets a code to show to the owner. Approve it with
//! `cargo run -p openclaw-cli -- --state-dir ./state pairing approve telegram <CODE>`, and the service answers.

use std::error::Error;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use pairing_async::{AsyncAccount, AsyncPairing};
use pairing_core::{Requested, Sender};
use pairing_fs::StateDir;
use serde::{Deserialize, Serialize};

/// A message, as the webhook delivers it. A real service checks the webhook's signature first.
#[derive(Deserialize)]
struct Message {
    sender: String,
    text: String,
}

/// What to send back to the sender, if anything.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    reply: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let state = std::env::args()
        .nth(1)
        .ok_or("usage: axum_service <state-dir>")?;
    let pairing = AsyncPairing::new(pairing_fs::open(&StateDir::at(state)));
    let service = service(pairing.account("telegram", "default")?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, service).await?;
    Ok(())
}

fn service(account: AsyncAccount) -> Router {
    Router::new()
        .route("/message", post(message))
        .with_state(account)
}

/// Admits the sender, or asks the owner. If the connection is closed meanwhile, this future is dropped, and a request
/// that was being made is finished all the same.
async fn message(
    State(account): State<AsyncAccount>,
    Json(message): Json<Message>,
) -> Result<Json<Answer>, StatusCode> {
    let sender = Sender::new(&message.sender);
    let reply = match account.request_or_reuse(sender).await {
        Ok(Requested::Allowed(_)) => Some(format!("You said: {}", message.text)),
        Ok(Requested::Created(created)) => Some(created.reply),
        // The code was sent before, or there is no room for another request: silence.
        Ok(_) => None,
        // An error admits nobody.
        Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    Ok(Json(Answer { reply }))
}

#[cfg(test)]
mod tests {
    use pairing_core::{Approver, ManualClock, MemoryStore, Pairing, Timestamp};
    use pairing_fs::SystemEntropy;

    use super::*;

    #[tokio::test]
    async fn a_stranger_is_answered_after_approval() {
        let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
        let pairing = Pairing::new(MemoryStore::new(), clock, SystemEntropy);
        let account = AsyncPairing::new(pairing)
            .account("telegram", "default")
            .unwrap();
        let says = |sender: &str| {
            let message = Message {
                sender: sender.to_owned(),
                text: "hello".to_owned(),
            };
            let answering = super::message(State(account.clone()), Json(message));
            async move { answering.await.map(|Json(answer)| answer.reply) }
        };
        let reply = says("42").await.unwrap().unwrap();
        let code = account.pending().await.unwrap().requests[0].code;
        assert!(reply.contains(code.as_str()), "{reply}");
        assert_eq!(says("42").await, Ok(None));
        account
            .approve(code.as_str(), &Approver::terminal("ann"))
            .await
            .unwrap();
        assert_eq!(says("42").await, Ok(Some("You said: hello".to_owned())));
        assert_eq!(says("").await, Err(StatusCode::SERVICE_UNAVAILABLE));
    }
}
