//! `openclaw channels login`: links an account by a code that is scanned or typed.

use std::time::Duration;

use gateway_protocol::Text;
use gateway_protocol::channel_login::{
    LoginProgress, LoginStartParams, LoginState, LoginWaitParams,
};
use openclaw_gateway::{Linking, qr};
use pairing_core::{AccountId, ChannelId, LinkOutcome, escape};

use crate::args::ChannelsCommand;
use crate::backend::Backend;
use crate::console::Screen;
use crate::place::Place;
use crate::remote::{Remote, runtime};
use crate::{Environment, Exit, Failure};

/// How long the gateway waits for the next step, and this program for the gateway's answer.
const STEP_MS: u64 = 20_000;
const ANSWER: Duration = Duration::from_secs(30);

/// Links an account: by the gateway if one runs, because that has the account's program; else by the configuration.
pub(crate) fn run(
    place: &Place<'_>,
    (channel, account_id): (ChannelId, AccountId),
    json: bool,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let backend = place.backend(ChannelsCommand::LOGIN, screen)?;
    let end = match &backend {
        Backend::Gateway(remote) => {
            let params = LoginStartParams {
                channel,
                account_id,
            };
            let first = remote.call_within("channels.login.start", &params, ANSWER)?;
            follow(first, json, screen, |known| next(remote, known))?
        }
        Backend::Files(files) => {
            files.channel(&channel)?;
            let config = place.config.clone().unwrap_or_default();
            let state = place.state.as_ref().map_err(Clone::clone)?;
            let runtime = runtime()?;
            let var = |name: &str| (environment.var)(name);
            let linking = {
                // It starts tasks.
                let _entered = runtime.enter();
                Linking::start(&config, state, &var, &channel, &account_id)?
            };
            let first = runtime.block_on(linking.wait(0));
            let end = follow(first, json, screen, |known| {
                Ok(runtime.block_on(linking.wait(known.step)))
            });
            let outcome = match &end {
                Ok(end) if end.error.is_none() => LinkOutcome::Linked,
                _ => LinkOutcome::NotLinked,
            };
            let by = &files.approver;
            files
                .service
                .report_link(outcome, by, &channel, &account_id);
            end?
        }
    };
    match end.error {
        None => Ok(Exit::Done),
        Some(error) => Err(Failure::NotLinked {
            error,
            advice: end.advice,
        }),
    }
}

/// Waits for the next step at the gateway.
fn next(remote: &Remote, known: &LoginProgress) -> Result<LoginProgress, Failure> {
    const METHOD: &str = "channels.login.wait";
    let login_id = Text::try_from(known.login_id.clone()).map_err(|_| Failure::NotLinked {
        error: "the gateway names the login in a way that cannot be used".to_owned(),
        advice: None,
    })?;
    let params = LoginWaitParams {
        login_id,
        after: known.step,
        timeout_ms: Some(STEP_MS),
    };
    remote.call_within(METHOD, &params, ANSWER)
}

/// Shows each step, to the end.
fn follow(
    first: LoginProgress,
    json: bool,
    screen: &mut Screen<'_, '_>,
    mut next: impl FnMut(&LoginProgress) -> Result<LoginProgress, Failure>,
) -> Result<LoginProgress, Failure> {
    let mut now = first;
    let mut shown = None;
    loop {
        if shown != Some(now.step) {
            shown = Some(now.step);
            if json {
                // Whoever reads JSON draws the code by its text.
                now.qr = None;
                screen.json_line(&now)?;
            } else {
                show(&now, screen)?;
            }
            // The next step may take minutes.
            screen.flush()?;
        }
        if now.is_over() {
            return Ok(now);
        }
        now = next(&now)?;
    }
}

fn show(now: &LoginProgress, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    match now.state {
        LoginState::Code => {
            let code = now.code.as_deref().unwrap_or_default();
            let how = escape(&now.how).limit(200);
            let verb = if now.qr.is_some() {
                screen.remark(format_args!("Scan this {how}:"))?;
                draw(code, screen)?;
                "scans"
            } else {
                screen.remark(format_args!("Type this {how}:"))?;
                screen.line(escape(code).limit(usize::MAX))?;
                "types"
            };
            screen.remark(format_args!(
                "Waiting for the phone. Whoever {verb} the code has the account: show it to nobody else."
            ))?;
        }
        LoginState::Scanned => screen.remark("Accepted. The account is being set up.")?,
        LoginState::Linked => {
            let name = now.linked_as.as_deref().unwrap_or("an account");
            screen.line(format_args!("Linked as {}", escape(name).limit(200)))?;
            if let Some(remark) = &now.remark {
                screen.caution(remark);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Draws a code for a person whose terminal is wide enough; for everybody else, writes its text.
fn draw(code: &str, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let drawn = qr::render_terminal(code, screen.may_color()).ok();
    let columns = qr::render_terminal(code, false).ok();
    let columns = columns.and_then(|plain| Some(plain.lines().next()?.chars().count()));
    let fits = columns.is_some_and(|columns| screen.fits(columns));
    match drawn {
        Some(drawn) if screen.has_tables() && fits => screen.line(drawn)?,
        _ => {
            if screen.has_tables() {
                screen.caution("the terminal is too narrow for the QR code: make it wider, or have another program draw this text");
            }
            screen.line(escape(code).limit(usize::MAX))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Console;

    #[test]
    fn a_code_without_a_picture_is_typed_and_escaped() {
        let mut now = LoginProgress::new("1", "in the app: Linked devices");
        now.state = LoginState::Code;
        now.code = Some("ABCD-2345\u{1b}[2J".to_owned());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err);
        show(&now, &mut Screen::new(&mut console, false)).unwrap();
        let shown = String::from_utf8([out, err].concat()).unwrap();
        assert!(shown.contains("ABCD-2345\\u{1b}[2J\n"), "{shown}");
        assert!(!shown.contains("Scan"), "{shown}");
    }
}
