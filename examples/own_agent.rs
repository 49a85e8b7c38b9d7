//! An agent that answers through the gateway: whoever may talk to the bot is told what they have said.
//!
//! ```sh
//! OPENCLAW_GATEWAY_TOKEN=… cargo run -p examples --example own_agent -- ws://127.0.0.1:18789
//! ```
//!
//! It needs the scope operator.write, which lets it answer and be told of messages. (Being told alone takes
//! operator.messages.) A stranger's message never gets here.

use gateway_protocol::GatewayUrl;
use std::error::Error;

use gateway_client::{Client, ClientEvent, Connect, Events};
use pairing_core::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

/// As much of `message.inbound` as it takes to answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    channel: String,
    account_id: String,
    id: String,
    chat: String,
    text: String,
}

/// Answers one message after the other, until the gateway ends. An answer that cannot be given (the sender has
/// blocked the bot, say) is no reason to leave the others without one.
#[expect(clippy::print_stderr, reason = "an example, run by hand")]
async fn run(client: &Client, events: &mut Events) -> Result<(), Box<dyn Error>> {
    while let Some(event) = events.next().await {
        let ClientEvent::Other { event, payload } = event else {
            continue;
        };
        if event != "message.inbound" {
            continue;
        }
        let message: Message = serde_json::from_value(payload)?;
        let sent: Result<Value, _> = client.call("send", &answer(&message)).await;
        if let Err(error) = sent {
            eprintln!("{:?} is not answered: {error}", message.chat);
        }
    }
    Ok(())
}

/// What a model would say. The key makes sure that it is said once, however often it is asked for.
fn answer(message: &Message) -> Value {
    json!({
        "channel": message.channel,
        "accountId": message.account_id,
        "to": message.chat,
        "message": format!("You said: {}", message.text),
        "idempotencyKey": format!("answer-{}-{}", message.chat, message.id),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(url) = std::env::args().nth(1) else {
        return Err("usage: own_agent <ws://…>".into());
    };
    let token = std::env::var("OPENCLAW_GATEWAY_TOKEN")?;
    let scopes = [Scope::WRITE].map(Scope::parse);
    let connect = Connect::to(GatewayUrl::parse(&url)?)
        .token(token.into())
        .scopes(scopes.into_iter().collect::<Result<_, _>>()?);
    let (client, mut events) = connect.open().await?;
    run(&client, &mut events).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_where_the_message_came_from() {
        let inbound = json!({
            "channel": "telegram", "accountId": "default", "id": "7", "sender": "1", "chat": "1",
            "isDirect": true, "text": "hello", "atMs": 0,
        });
        let message = serde_json::from_value(inbound).unwrap();
        let expected = json!({
            "channel": "telegram", "accountId": "default", "to": "1", "message": "You said: hello",
            "idempotencyKey": "answer-1-7",
        });
        assert_eq!(answer(&message), expected);
    }
}
