//! `send`: sends an agent's message to a chat.

use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::message::{MessageSent, SendParams};
use gateway_protocol::{DetailCode, ErrorShape};
use pairing_core::{AccountId, ChannelId, escape};
use tokio::time::timeout;

use super::{Call, Reply};
use channel_kit::{Adapter, MessageId, Outgoing, SendError, Target};
use gateway_channels::{Attempt, MAX_ID, MAX_TEXT, digest, is_target};

/// Time that a caller waits. The message may still be on its way afterwards.
const WAIT: Duration = Duration::from_secs(30);

/// Sends a message through the adapter of its account. A repeated call with the same key sends nothing again.
pub(super) async fn send(call: Call) -> Reply {
    let params: SendParams = call.params()?;
    let adapter = adapter(&call, &params)?;
    let to = Target::chat(params.to).thread(params.thread.map(Into::into));
    if !is_target(&to) {
        return Err(refused("to", "can be no chat"));
    }
    if params.message.len() > MAX_TEXT {
        let detail = format!("has at most {MAX_TEXT} bytes");
        return Err(refused("message", &detail));
    }
    if params.idempotency_key.len() > MAX_ID {
        let detail = format!("has at most {MAX_ID} bytes");
        return Err(refused("idempotencyKey", &detail));
    }
    let (channel, account) = (adapter.channel().clone(), adapter.account().clone());
    let message_id = sent(&call, adapter, &to, params.message.into(), {
        let caller = call.approver().id().as_str().to_owned();
        (caller, params.idempotency_key.into())
    });
    let message_id = message_id.await?;
    call.reply(&MessageSent {
        channel,
        account_id: account,
        to: to.chat,
        message_id: message_id.0,
    })
}

async fn sent(
    call: &Call,
    adapter: Arc<dyn Adapter>,
    to: &Target,
    text: String,
    key: (String, String),
) -> Result<MessageId, ErrorShape> {
    let parts = call.parts.clone();
    let account = adapter.account().as_str();
    let what = digest(adapter.channel().as_str(), account, to, &text);
    let now = parts.pairing.now();
    let mut outcome = match parts.channels.sends().begin(key.clone(), what, now) {
        Attempt::KeyReused => {
            return Err(refused("idempotencyKey", "was used for another message"));
        }
        Attempt::Repeated(outcome) => outcome,
        Attempt::New(tell, outcome) => {
            let to = to.clone();
            // The task goes on if the caller leaves, so that a repeated call learns the outcome.
            tokio::spawn(async move {
                let sent = adapter.send(&to, &Outgoing::text(text)).await;
                if sent.is_err() {
                    parts.channels.sends().forget(&key);
                }
                tell.send_replace(Some(sent.map_err(Arc::new)));
            });
            outcome
        }
    };
    let waiting = outcome.wait_for(Option::is_some);
    match timeout(WAIT, waiting).await {
        Ok(Ok(outcome)) => match &*outcome {
            Some(Ok(id)) => Ok(id.clone()),
            Some(Err(error)) => Err(of_send(error)),
            None => Err(ErrorShape::unavailable(
                DetailCode::Internal,
                "the request failed",
            )),
        },
        Ok(Err(_)) => Err(ErrorShape::unavailable(
            DetailCode::Internal,
            "the request failed",
        )),
        Err(_) => Err(ErrorShape::unavailable(
            DetailCode::Timeout,
            "the message is still on its way: ask again with the same idempotencyKey",
        )),
    }
}

fn adapter(call: &Call, params: &SendParams) -> Result<Arc<dyn Adapter>, ErrorShape> {
    let invalid = |error: pairing_core::NameError| {
        ErrorShape::invalid(DetailCode::InvalidName, error.to_string())
    };
    let channel = ChannelId::parse(&params.channel).map_err(invalid)?;
    let account = params.account_id.as_deref().map(AccountId::parse);
    let account = account.transpose().map_err(invalid)?.unwrap_or_default();
    let parts = &call.parts;
    let config = &parts.settings.load().config;
    if !config.account(&channel, &account).is_enabled() {
        let message = format!("the {channel} account {} is turned off", account.as_str());
        return Err(ErrorShape::invalid(DetailCode::Disabled, message));
    }
    let adapter = parts.channels.adapter(config, &channel, &account);
    adapter.ok_or_else(|| {
        let message = format!("no {channel} account {} runs here", account.as_str());
        ErrorShape::invalid(DetailCode::NoAdapter, message)
    })
}

fn of_send(error: &SendError) -> ErrorShape {
    let message = escape(&error.to_string()).limit(300).to_string();
    match error {
        SendError::Chat { .. } => ErrorShape::invalid(DetailCode::Chat, message),
        SendError::Unable => ErrorShape::invalid(DetailCode::Unable, message),
        _ => ErrorShape::unavailable(DetailCode::ChannelUnavailable, message),
    }
}

fn refused(field: &str, detail: &str) -> ErrorShape {
    ErrorShape::invalid(
        DetailCode::InvalidParams,
        format!("invalid send params: at {field}: {detail}"),
    )
}
