//! Linking: this machine becomes a device of the account on a phone.

use channel_kit::{Linked, LoginCode, LoginError, LoginStep, PhoneNumber};
use pairing_core::{Chain, escape};
use tokio::time::timeout;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::wacore::store::device::DevicePropsOverride;

use super::WhatsAppWeb;
use super::backend::linked_as;
use super::session::{Happened, Running, fatal};
use super::store::KeysError;
use super::trouble::SessionError;

/// The longest reason that is passed on, in characters.
const REASON: usize = 200;

type Tell<'a> = &'a (dyn Fn(LoginStep) + Send + Sync);

pub(crate) async fn link(
    web: &WhatsAppWeb,
    device: &str,
    tell: Tell<'_>,
) -> Result<Linked, LoginError> {
    if let Some(client) = web.live()
        && let Some(jid) = client.pn()
    {
        return Ok(already(format!("+{}", jid.user)));
    }
    // A connection that is being made, or given up, holds the keys for a moment.
    let Ok(_in_use) = timeout(web.pace.call, web.in_use.lock()).await else {
        return Err(LoginError::Unavailable {
            reason: "the account is linked, and is being connected".to_owned(),
            advice: "wait for the connection, or turn the account off for a moment by enabled: false",
        });
    };
    let keys = web.open().await.map_err(of_keys)?;
    let linked = match linked_as(keys.store()).await.map_err(of_keys)? {
        Some(number) => already(number),
        None => {
            let number = fresh(web, device, tell, &keys).await?;
            let is_other = |meant: &&PhoneNumber| meant.as_str() != number;
            let remark = web.number.as_ref().filter(is_other).map(|meant| {
                format!(
                    "the configuration names {meant}: it was another phone that linked this machine"
                )
            });
            Linked::to(number).remark(remark)
        }
    };
    // An adapter that runs waits for this, and then opens the keys itself.
    drop(keys);
    web.linked.notify_one();
    Ok(linked)
}

/// Also an account that was taken over by another program, or that was locked, is tried again then.
fn already(number: String) -> Linked {
    let remark =
        "it was linked already: to link another one, remove this device on the phone first";
    Linked::to(number).remark(Some(remark.to_owned()))
}

async fn fresh(
    web: &WhatsAppWeb,
    device: &str,
    tell: Tell<'_>,
    keys: &super::store::Keys,
) -> Result<String, LoginError> {
    let props = DevicePropsOverride::new().with_os(device);
    let by_code = web.number.as_ref().map(|number| PairCodeOptions {
        phone_number: number.as_str().trim_start_matches('+').to_owned(),
        ..PairCodeOptions::default()
    });
    let running = Running::start(web, keys, |bot| {
        let bot = bot.with_device_props(props);
        match by_code {
            Some(options) => bot.with_pair_code(options),
            None => bot,
        }
    });
    let mut running = running.await.map_err(|error| of_session(&error))?;
    let paired = timeout(web.pace.link, follow(web, &mut running, tell)).await;
    running.end(web.pace.call).await;
    paired.unwrap_or(Err(LoginError::TimedOut))
}

/// Follows it to the connection after the pairing, by which the phone is told that all is well.
async fn follow(
    web: &WhatsAppWeb,
    running: &mut Running,
    tell: Tell<'_>,
) -> Result<String, LoginError> {
    let by_code = web.number.is_some();
    let mut linked = None;
    let mut has_code = false;
    loop {
        let event = match running.next().await {
            Happened::Event(event) => event,
            // WhatsApp closes the connection after the pairing, and codes may end with theirs.
            Happened::Failure(_) if has_code || linked.is_some() => continue,
            Happened::Failure(reason) => {
                return Err(unavailable(format!("WhatsApp cannot be reached: {reason}")));
            }
            Happened::End => return Err(unavailable("the connection has ended".to_owned())),
        };
        match &*event {
            Event::PairingQrCode(qr) if !by_code => {
                has_code = true;
                tell(LoginStep::Code(LoginCode::new(qr.code.as_str())));
            }
            Event::PairingCode(pairing) if by_code => {
                has_code = true;
                tell(LoginStep::Typed(LoginCode::new(spaced(&pairing.code))));
            }
            Event::PairSuccess(success) => {
                tell(LoginStep::Scanned);
                linked = Some(format!("+{}", success.id.user));
            }
            Event::Connected(_) => {
                if let Some(number) = linked {
                    return Ok(number);
                }
            }
            Event::PairingQrCodesExhausted(_) if !by_code => return Err(LoginError::TimedOut),
            Event::PairingCodeError(error) => {
                return Err(refused(
                    &error.error,
                    "see that the number is the account's own; WhatsApp gives few codes an hour",
                ));
            }
            Event::PairError(error) => return Err(refused(&error.error, "begin again")),
            Event::QrScannedWithoutMultidevice(_) => {
                return Err(refused(
                    "the phone links no devices",
                    "update WhatsApp on the phone",
                ));
            }
            Event::PairPasskeyRequest(_) => {
                let advice = "turn the passkey off in WhatsApp on the phone (Settings, Account), and begin again";
                return Err(refused(
                    "WhatsApp asks for the account's passkey, which is not here",
                    advice,
                ));
            }
            event => {
                if let Some(error) = fatal(event) {
                    return Err(of_session(&error));
                }
            }
        }
    }
}

/// A pairing code as phones show it: `ABCD-EFGH`.
fn spaced(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((first, second)) if second.len() == 4 => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

fn refused(reason: &str, advice: &'static str) -> LoginError {
    LoginError::Refused {
        reason: escape(reason).limit(REASON).to_string(),
        advice,
    }
}

fn unavailable(reason: String) -> LoginError {
    LoginError::Unavailable {
        reason,
        advice: "see that this machine reaches web.whatsapp.com, and begin again",
    }
}

fn of_keys(error: KeysError) -> LoginError {
    of_session(&error.into())
}

fn of_session(error: &SessionError) -> LoginError {
    let reason = Chain(error).to_string();
    let advice = error.advice();
    match error {
        SessionError::Keys(_) | SessionError::Setup { .. } | SessionError::Lost { .. } => {
            LoginError::Unavailable { reason, advice }
        }
        _ => LoginError::Refused { reason, advice },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairing_code_is_shown_as_phones_show_it() {
        assert_eq!(spaced("ABCD2345"), "ABCD-2345");
        assert_eq!(spaced("ABC"), "ABC");
        assert_eq!(spaced("ABCDé234"), "ABCD-é234".replace("-é234", "é234"));
    }
}
