//! Which bot the app is.

use channel_kit::http::Method;
use channel_kit::{ProbeError, Probed};
use serde::Deserialize;

use crate::Feishu;
use crate::api::{self, Call};

/// Asks Feishu for the name of the bot.
pub(crate) async fn probe(bot: &Feishu) -> Result<Probed, ProbeError> {
    #[derive(Deserialize)]
    struct Answer {
        bot: Found,
    }
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        app_name: String,
    }
    const NAME: &str = "bot info";
    const CALL: Call = Call::new(NAME, Method::Get);
    let asked = bot
        .api
        .once(CALL, "/open-apis/bot/v3/info", || None, bot.pace.call)
        .await;
    let found = asked.and_then(|response| api::read::<Answer>(&response, NAME));
    let found = found.map_err(|error| {
        let is_final = error.is_final() || error.is_about_permission();
        ProbeError::of(&error, is_final)
    })?;
    Ok(Probed::named(found.bot.app_name))
}
