//! Who the bot itself is, and whether it may do what it has to.

use std::sync::PoisonError;

use channel_kit::http::Response;
use channel_kit::{ProbeError, Probed};
use serde::Deserialize;
use serde_json::json;

use crate::Slack;
use crate::api::{self, Call, CallError};
use crate::envelope::Me;
use crate::id::Id;

/// Without these, a bot cannot do its work.
const SCOPES: [&str; 3] = ["chat:write", "im:history", "im:write"];

impl Slack {
    /// The bot's own ids, if they are known.
    pub(crate) fn me(&self) -> Option<Me> {
        self.me
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks Slack who the bot is, unless that is known.
    pub(crate) async fn learn_me(&self) -> Result<(), CallError> {
        #[derive(Deserialize)]
        struct Found {
            user_id: Id,
            #[serde(default)]
            bot_id: Option<Id>,
        }
        const METHOD: &str = "auth.test";
        if self.me().is_some() {
            return Ok(());
        }
        let asked = self
            .api
            .once(Call::new(METHOD), api::json(&json!({})), self.pace.call);
        let response = asked.await?;
        let found: Found = api::read(&response, METHOD)?;
        let missing = missing(&response);
        if !missing.is_empty() {
            tracing::warn!(
                account = self.account.as_str(),
                scopes = missing.join(", "),
                advice = "add them at api.slack.com/apps, under OAuth & Permissions, Bot Token Scopes, and install the app anew",
                "slack: the bot lacks scopes, and cannot receive or answer direct messages"
            );
        }
        let me = Me {
            user: found.user_id,
            bot: found.bot_id,
        };
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = Some(me);
        Ok(())
    }
}

/// Asks Slack who the bot is, whatever is known.
pub(crate) async fn probe(bot: &Slack) -> Result<Probed, ProbeError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        user: String,
        #[serde(default)]
        team: String,
    }
    const METHOD: &str = "auth.test";
    let asked = bot
        .api
        .once(Call::new(METHOD), api::json(&json!({})), bot.pace.call);
    let found = asked
        .await
        .and_then(|response| api::read::<Found>(&response, METHOD));
    let found = found.map_err(|error| {
        let reason = error.to_string();
        if error.is_final() {
            ProbeError::Refused { reason }
        } else {
            ProbeError::Unavailable { reason }
        }
    })?;
    Ok(Probed::named(format!("{} in {}", found.user, found.team)))
}

/// The scopes that the bot lacks. None where Slack does not say which it has.
fn missing(response: &Response) -> Vec<&'static str> {
    let Some(given) = response.header("x-oauth-scopes") else {
        return Vec::new();
    };
    let has = |wanted: &str| given.split(',').any(|scope| scope.trim() == wanted);
    SCOPES.into_iter().filter(|scope| !has(scope)).collect()
}
