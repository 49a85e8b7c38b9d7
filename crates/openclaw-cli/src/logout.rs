//! `openclaw channels logout`: ends what `openclaw channels login` began.

use std::time::Duration;

use gateway_protocol::channel_login::{LoggedOut, LogoutParams};
use openclaw_gateway::{LoggingOutError, log_out};
use pairing_core::{AccountId, ChannelId, LinkOutcome, escape};

use crate::args::ChannelsCommand;
use crate::backend::Backend;
use crate::console::Screen;
use crate::place::Place;
use crate::remote::runtime;
use crate::{Environment, Exit, Failure};

/// More than the gateway takes at most.
const ANSWER: Duration = Duration::from_secs(280);

/// Logs an account out: by the gateway if one runs, because that has the account's program; else by the configuration.
pub(crate) fn run(
    place: &Place<'_>,
    (channel, account_id): (ChannelId, AccountId),
    json: bool,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let backend = place.backend(ChannelsCommand::LOGOUT, screen)?;
    let out: LoggedOut = match &backend {
        Backend::Gateway(remote) => {
            let params = LogoutParams {
                channel,
                account_id,
            };
            remote.call_within("channels.logout", &params, ANSWER)?
        }
        Backend::Files(files) => {
            files.channel(&channel)?;
            let config = place.config.clone().unwrap_or_default();
            let state = place.state.as_ref().map_err(Clone::clone)?;
            let var = |name: &str| (environment.var)(name);
            let out = log_out(&config, state, &var, &channel, &account_id);
            let out = runtime()?.block_on(out);
            let by = &files.approver;
            if out.as_ref().err().is_none_or(LoggingOutError::is_half_done) {
                files
                    .service
                    .report_link(LinkOutcome::LoggedOut, by, &channel, &account_id);
            }
            out?
        }
    };
    if json {
        screen.json(&out)?;
        return Ok(Exit::Done);
    }
    let name = out.name.as_deref().unwrap_or("the account");
    let name = escape(name).limit(200);
    if out.cleared {
        screen.line(format_args!("Logged out of {name}"))?;
    } else {
        screen.line(format_args!("{name} was not linked"))?;
    }
    if let Some(remark) = &out.remark {
        screen.caution(remark);
    }
    Ok(Exit::Done)
}
