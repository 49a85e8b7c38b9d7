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

/// The method that tells whose token it is.
const AUTH_TEST: &str = "auth.test";

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
        if self.me().is_some() {
            return Ok(());
        }
        let response = auth_test(self).await?;
        let found: Found = api::read(&response, AUTH_TEST)?;
        let missing = missing(&response);
        if !missing.is_empty() {
            let said = format!("the bot token lacks scopes; needed: {}", missing.join(", "));
            self.status.failed(said, self.clock.now());
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

async fn auth_test(bot: &Slack) -> Result<Response, CallError> {
    let params = api::json(&json!({}));
    let call = Call::new(AUTH_TEST);
    bot.api.once(call, params, bot.pace.call).await
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
    let asked = auth_test(bot).await;
    let found = asked.and_then(|response| api::read::<Found>(&response, AUTH_TEST));
    let found = found.map_err(|error| ProbeError::of(&error, error.is_final()))?;
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
