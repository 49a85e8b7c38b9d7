//! `channels.login.start`, `.wait` and `.end`: linking an account by a code; `channels.logout`.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::{Adapter, LogoutError};
use gateway_channels::AdapterKey;
use gateway_protocol::channel_login::{
    LoginEndParams, LoginEnded, LoginStartParams, LoginWaitParams, LogoutParams,
};
use gateway_protocol::{DetailCode, ErrorShape};
use pairing_core::LinkOutcome;
use serde_json::json;

use super::{Call, Reply};
use crate::adapters::{another_build, instead_of_logout};
use crate::logins::{self, Report};

/// How long a call waits unless the caller says, and whatever it says.
const WITHIN: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn start(call: &Call) -> Reply {
    let LoginStartParams {
        channel,
        account_id,
    } = call.params()?;
    let account = (channel, account_id);
    let adapter = adapter(call, &account, another_build(&account.0))?;
    let id = call
        .parts
        .id()
        .map_err(|_| ErrorShape::unavailable(DetailCode::Internal, "no login can be named"))?;
    match call.parts.logins.start(&adapter, id, report(call, account)) {
        Some(progress) => call.reply(&progress),
        None => Err(refused(
            "accounts of this channel are not linked by a code: their settings name what they need",
        )),
    }
}

pub(super) async fn logout(call: Call) -> Reply {
    let LogoutParams {
        channel,
        account_id,
    } = call.params()?;
    let account = (channel, account_id);
    let adapter = adapter(&call, &account, None)?;
    let unable = || {
        let channel = &account.0;
        let message = format!("channel {channel} does not support logout");
        let hint = json!({ "hint": instead_of_logout(channel) });
        ErrorShape::invalid(DetailCode::Unable, message).with_details(hint)
    };
    if adapter.login().is_none() {
        return Err(unable());
    }
    // A login that is under way would be over right after it.
    let ending = account.clone();
    let end = move |call: &Call| {
        call.parts.logins.end_of(&ending);
        Ok(())
    };
    call.at_store(end).await?;
    // It is done to its end and taken down, also if the caller is gone or has lost its rights meanwhile.
    let report = report(&call, account.clone());
    let out = tokio::spawn(async move {
        let out = logins::log_out_of(&*adapter).await;
        if out.as_ref().is_some_and(logins::is_not_linked) {
            let _ = tokio::task::spawn_blocking(move || report(LinkOutcome::LoggedOut)).await;
        }
        out
    });
    let failed = |_| ErrorShape::unavailable(DetailCode::Internal, "logging out has failed");
    let out = out.await.map_err(failed)?.ok_or_else(unable)?;
    let out = out.map_err(|error| {
        let (reason, hint) = (error.to_string(), json!({ "hint": error.advice() }));
        match error {
            LogoutError::Refused { .. } => ErrorShape::invalid(DetailCode::Unable, reason),
            _ => ErrorShape::unavailable(DetailCode::ChannelUnavailable, reason),
        }
        .with_details(hint)
    })?;
    call.reply(&logins::answer(account, out))
}

/// The adapter of an account that runs. `elsewhere` is what to do about a channel some of whose accounts only another
/// build has.
fn adapter(
    call: &Call,
    account: &AdapterKey,
    elsewhere: Option<&str>,
) -> Result<Arc<dyn Adapter>, ErrorShape> {
    let channels = &call.parts.channels;
    let settings = call.parts.settings.load();
    let adapter = channels.adapter(&settings.config, &account.0, &account.1);
    adapter.ok_or_else(|| {
        refused(match (channels.unbuilt().get(account), elsewhere) {
            (Some(error), _) => format!("the account cannot be set up: {}", error.error),
            (None, Some(advice)) => {
                format!("the gateway was built without personal accounts of this channel: {advice}")
            }
            (None, None) => {
                "the gateway runs no such account: set it up in openclaw.json first".to_owned()
            }
        })
    })
}

/// Takes down in the audit log what became of an account, in the name of the caller.
fn report(call: &Call, (channel, account): AdapterKey) -> Report {
    let (pairing, approver) = (call.pairing().clone(), call.approver());
    Box::new(move |outcome| pairing.report_link(outcome, &approver, &channel, &account))
}

fn refused(message: impl Into<String>) -> ErrorShape {
    ErrorShape::invalid(DetailCode::InvalidParams, message)
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
