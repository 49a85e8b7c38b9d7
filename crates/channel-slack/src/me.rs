//! Who the bot itself is, and whether it may do what it has to.

use std::sync::{Mutex, PoisonError};

use channel_kit::http::Response;
use channel_kit::{ProbeError, Probed};
use serde::Deserialize;
use serde_json::json;

use crate::Slack;
use crate::api::{self, Call, CallError};
use crate::envelope::{Home, Me};
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

    /// Asks Slack who the bot is, unless that is known and nothing was missing.
    pub(crate) async fn learn_me(&self) -> Result<(), CallError> {
        #[derive(Deserialize)]
        struct Found {
            user_id: Id,
            #[serde(default)]
            bot_id: Option<Id>,
            #[serde(flatten)]
            home: Home,
        }
        if self.me().is_some() && self.lacking.is_none() {
            return Ok(());
        }
        let response = auth_test(self).await?;
        let found: Found = api::read(&response, AUTH_TEST)?;
        self.look_at_scopes(&response);
        let me = Me {
            user: found.user_id,
            bot: found.bot_id,
            home: found.home,
        };
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = Some(me);
        Ok(())
    }

    /// Notes which scopes are missing, and that none is any more: an owner may add them while the app runs.
    fn look_at_scopes(&self, response: &Response) {
        let missing = missing(response).join(", ");
        match self.lacking.replace(&missing) {
            Lacked::Same => {}
            Lacked::Other(before) => {
                if let Some(before) = before {
                    self.status.mended(&lack_of(&before));
                }
                if missing.is_empty() {
                    tracing::info!(
                        account = self.account.as_str(),
                        "slack: the bot has the scopes that it lacked"
                    );
                    return;
                }
                self.status.noted(lack_of(&missing));
                tracing::warn!(
                    account = self.account.as_str(),
                    scopes = missing,
                    advice = "add them at api.slack.com/apps, under OAuth & Permissions, Bot Token Scopes, and install the app anew",
                    "slack: the bot lacks scopes, and cannot receive or answer direct messages"
                );
            }
        }
    }
}

/// The scopes that the bot was last found to lack; empty where it lacks none.
#[derive(Debug, Default)]
pub(crate) struct Lacking(Mutex<String>);

/// What was lacking before.
enum Lacked {
    Same,
    /// Other scopes, or none.
    Other(Option<String>),
}

impl Lacking {
    fn is_none(&self) -> bool {
        self.scopes().is_empty()
    }

    fn replace(&self, missing: &str) -> Lacked {
        let mut scopes = self.scopes();
        if *scopes == missing {
            return Lacked::Same;
        }
        let before = std::mem::replace(&mut *scopes, missing.to_owned());
        Lacked::Other(Some(before).filter(|before| !before.is_empty()))
    }

    fn scopes(&self) -> std::sync::MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lack_of(scopes: &str) -> String {
    format!("the bot token lacks scopes; needed: {scopes}")
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
    let found = asked.and_then(|response| {
        let found = api::read::<Found>(&response, AUTH_TEST)?;
        bot.look_at_scopes(&response);
        Ok(found)
    });
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
