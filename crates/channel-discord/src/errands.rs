//! Calls that run beside receiving: acknowledging interactions, and registering commands.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::http::{Body, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Discord;
use crate::event::{Interaction, Kind};
use crate::id::Id;
use crate::interactions::{ANSWERS, Token};
use crate::rest::Call;

/// The time within which an interaction has to be acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_secs(3);

/// Acknowledges an interaction, at once. A failure changes nothing: it is carried out all the same, and what there is
/// to say is said in the chat.
pub(crate) fn acknowledge(
    bot: &Arc<Discord>,
    errands: &mut JoinSet<()>,
    interaction: &Interaction,
) {
    let (id, token) = (interaction.id.clone(), interaction.token.clone());
    let chat = interaction.channel().clone();
    let bot = Arc::clone(bot);
    match &interaction.kind {
        Kind::Button {
            message,
            is_ephemeral,
            ..
        } => {
            if *is_ephemeral {
                let token = Token(token.as_str().into());
                bot.interactions.sent(message.as_str(), token);
            }
            errands.spawn(async move {
                // The message is replaced later.
                call_back(&bot, &id, &token, json!({ "type": 6 })).await;
            });
        }
        Kind::Command { .. } => {
            let (tell, replaced) = bot.interactions.command(chat.as_str(), &token);
            errands.spawn(async move {
                // Answered later, and seen by this person alone.
                let answer = json!({ "type": 5, "data": { "flags": 1 << 6 } });
                let is_done = call_back(&bot, &id, &token, answer).await;
                tell.send_replace(Some(is_done));
                if let Some(token) = replaced {
                    withdraw(&bot, &token).await;
                }
                // Over where something else was said in the chat meanwhile, too: nobody holds a place for long.
                let _ = timeout(ANSWERS, tell.closed()).await;
                if let Some(token) = bot.interactions.take_unanswered(chat.as_str(), &token) {
                    withdraw(&bot, &token).await;
                }
            });
        }
    }
}

async fn call_back(bot: &Discord, id: &Id, token: &str, answer: Value) -> bool {
    let path = format!("/interactions/{id}/{token}/callback");
    let call = Call::new(
        Method::Post,
        path,
        "POST /interactions/callback",
        id.as_str(),
    )
    .of_interaction();
    let body = Body::json(&answer);
    match bot.rest.once(&call, Some(body), ACKNOWLEDGE).await {
        Ok(_) => true,
        Err(error) => {
            tracing::info!(
                account = bot.account.as_str(), error = %error,
                "discord: an interaction cannot be acknowledged"
            );
            false
        }
    }
}

/// Takes back the "thinking" of a command that nobody answers.
async fn withdraw(bot: &Discord, token: &Token) {
    let Some(application) = bot.application() else {
        return;
    };
    let path = format!("/webhooks/{application}/{}/messages/@original", token.0);
    let call =
        Call::new(Method::Delete, path, "DELETE /webhooks/@original", &token.0).of_interaction();
    if let Err(error) = bot.rest.once(&call, None, bot.pace.call).await {
        tracing::debug!(
            account = bot.account.as_str(), error = %error,
            "discord: optional call failed"
        );
    }
}

/// Registers the commands, so that apps offer them in direct chats with the bot. Not every token may; they can be typed
/// all the same.
pub(crate) fn register(bot: &Arc<Discord>, errands: &mut JoinSet<()>) {
    let Some(application) = bot.application().filter(|_| !bot.commands.is_empty()) else {
        return;
    };
    let bot = Arc::clone(bot);
    errands.spawn(async move {
        for (name, description) in &bot.commands {
            // One by one: a list of all would remove those that others have registered for this bot.
            let command = json!({
                "name": name, "type": 1, "description": description,
                // Installed in servers, and offered in direct chats with the bot alone.
                "integration_types": [0], "contexts": [1],
                "options": [{
                    "name": "what", "type": 3, "required": false,
                    "description": "approve, reject, pending, status, qr, cleanup or notify, as in the text",
                }],
            });
            let path = format!("/applications/{application}/commands");
            let call = Call::new(Method::Post, path, "POST /applications/commands", "").repeatable();
            let body = || Some(Body::json(&command));
            let sent = bot.rest.patient(&call, body, &bot.pace, &bot.entropy).await;
            if let Err(error) = sent {
                tracing::info!(
                    account = bot.account.as_str(), command = name, error = %error,
                    "discord: a command cannot be registered, and has to be typed"
                );
                return;
            }
        }
    });
}
