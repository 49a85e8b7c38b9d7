//! `channels.login.start`, `.wait` and `.end`: linking an account by scanning a code.

use std::time::Duration;

use gateway_protocol::channel_login::{
    LoginEndParams, LoginEnded, LoginStartParams, LoginWaitParams,
};
use gateway_protocol::{DetailCode, ErrorShape};
use pairing_core::ChannelId;

use super::{Call, Reply};
use crate::adapters;

/// How long a call waits unless the caller says, and whatever it says.
const WITHIN: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn start(call: &Call) -> Reply {
    let params: LoginStartParams = call.params()?;
    let channels = &call.parts.channels;
    let settings = call.parts.settings.load();
    let (channel, account) = (&params.channel, &params.account_id);
    let refused = |message: String| Err(ErrorShape::invalid(DetailCode::InvalidParams, message));
    let Some(adapter) = channels.adapter(&settings.config, channel, account) else {
        let key = (channel.clone(), account.clone());
        return refused(match channels.unbuilt().get(&key) {
            Some(error) => format!("the account cannot be set up: {}", error.error),
            None => missing(channel),
        });
    };
    let id = call
        .parts
        .id()
        .map_err(|_| ErrorShape::unavailable(DetailCode::Internal, "no login can be named"))?;
    match call.parts.logins.start(&adapter, id) {
        Some(progress) => call.reply(&progress),
        None => refused(
            "accounts of this channel are not linked by a code: their settings name what they need"
                .to_owned(),
        ),
    }
}

/// Why there is no account to link.
fn missing(channel: &ChannelId) -> String {
    match adapters::another_build(channel) {
        Some(advice) => {
            format!("the gateway was built without personal accounts of this channel: {advice}")
        }
        None => "the gateway runs no such account: set it up in openclaw.json first".to_owned(),
    }
}

pub(super) async fn wait(call: Call) -> Reply {
    let params: LoginWaitParams = call.params()?;
    let within = params.timeout_ms.map_or(WITHIN, Duration::from_millis);
    let (id, logins) = (&params.login_id, &call.parts.logins);
    let progress = logins.wait(id, params.after, within.min(LONGEST)).await;
    match progress {
        // The rights of the caller may have ended meanwhile.
        Some(_) if !call.session.is_live() => Err(ErrorShape::unavailable(
            DetailCode::AccessRevoked,
            "access was revoked",
        )),
        Some(progress) => call.reply(&progress),
        None => Err(ErrorShape::invalid(
            DetailCode::UnknownRequest,
            "no such login: it was given up, or the gateway was started again",
        )),
    }
}

pub(super) fn end(call: &Call) -> Reply {
    let params: LoginEndParams = call.params()?;
    let ended = call.parts.logins.end(&params.login_id);
    call.reply(&LoginEnded { ended })
}
