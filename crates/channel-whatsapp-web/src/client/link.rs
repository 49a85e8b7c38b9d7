//! Linking: this machine becomes a device of the account on a phone.

use channel_kit::{Linked, LoginCode, LoginError, LoginStep, PhoneNumber};
use pairing_core::{Chain, escape};
use tokio::time::timeout;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::wacore::store::device::DevicePropsOverride;

use super::WhatsAppWeb;
use super::backend::linked_as;
use super::session::{Happened, Happenings, Running, fatal};
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
    let known = linked_as(keys.store()).await.map_err(of_keys)?;
    let linked = if let Some(number) = known {
        already(number)
    } else {
        let number = fresh(web, device, tell, &keys).await?;
        let is_other = |meant: &&PhoneNumber| meant.as_str() != number;
        let remark = web.number.as_ref().filter(is_other).map(|meant| {
            format!(
                "the configuration names {meant}: it was another phone that linked this machine"
            )
        });
        Linked::to(number).remark(remark)
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
    let by_code = web.number.is_some();
    let paired = timeout(web.pace.link, follow(by_code, &mut running, tell)).await;
    running.end(web.pace.call).await;
    paired.unwrap_or(Err(LoginError::TimedOut))
}

/// Follows it to the connection after the pairing, by which the phone is told that all is well.
async fn follow(
    by_code: bool,
    running: &mut impl Happenings,
    tell: Tell<'_>,
) -> Result<String, LoginError> {
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
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use whatsapp_rust::Jid;
    use whatsapp_rust::wacore::types::events::{
        ConnectFailureReason, Connected, LoggedOut, PairError, PairPasskeyRequest, PairSuccess,
        PairingCode, PairingCodeError, PairingQrCode, PairingQrCodesExhausted,
        QrScannedWithoutMultidevice,
    };

    use super::*;

    struct Script(VecDeque<Happened>);

    impl Happenings for Script {
        async fn next(&mut self) -> Happened {
            self.0.pop_front().unwrap_or(Happened::End)
        }
    }

    fn event(event: Event) -> Happened {
        Happened::Event(Arc::new(event))
    }

    fn qr(code: &str) -> Happened {
        let qr = PairingQrCode::builder().code(code.to_owned());
        event(Event::PairingQrCode(
            qr.timeout(Duration::from_secs(20)).build(),
        ))
    }

    fn letters(code: &str) -> Happened {
        let code = PairingCode::builder().code(code.to_owned());
        event(Event::PairingCode(
            code.timeout(Duration::from_secs(180)).build(),
        ))
    }

    fn paired() -> Happened {
        let success = PairSuccess::builder()
            .id(Jid::pn_device("15559990000", 7))
            .lid(Jid::lid("999999999999999"))
            .business_name(String::new())
            .platform("android".to_owned());
        event(Event::PairSuccess(success.build()))
    }

    fn connected() -> Happened {
        event(Event::Connected(Connected::builder().build()))
    }

    fn failure() -> Happened {
        Happened::Failure("the connection was closed".to_owned())
    }

    /// What a login comes to, and what it told before.
    async fn follow_all(
        by_code: bool,
        happened: impl Into<VecDeque<Happened>>,
    ) -> (Result<String, LoginError>, Vec<String>) {
        let told = Mutex::new(Vec::new());
        let tell = |step: LoginStep| {
            let step = match step {
                LoginStep::Code(code) => format!("scan {}", code.expose()),
                LoginStep::Typed(code) => format!("type {}", code.expose()),
                step => format!("{step:?}"),
            };
            told.lock().unwrap().push(step);
        };
        let end = follow(by_code, &mut Script(happened.into()), &tell).await;
        (end, told.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_login_by_a_picture_ends_with_the_connection_after_the_pairing() {
        let all = [
            qr("2@a"),
            failure(),
            qr("2@b"),
            // For another login.
            letters("ABCD2345"),
            paired(),
            failure(),
            connected(),
        ];
        let (end, told) = follow_all(false, all).await;
        assert_eq!(end.unwrap(), "+15559990000");
        assert_eq!(told, ["scan 2@a", "scan 2@b", "Scanned"]);
    }

    #[tokio::test]
    async fn a_login_by_letters_shows_no_picture() {
        let exhausted = PairingQrCodesExhausted::builder().disconnected(false);
        let all = [
            qr("2@a"),
            letters("ABCD2345"),
            // The letters are good for longer.
            event(Event::PairingQrCodesExhausted(exhausted.build())),
            paired(),
            connected(),
        ];
        let (end, told) = follow_all(true, all).await;
        assert_eq!(end.unwrap(), "+15559990000");
        assert_eq!(told, ["type ABCD-2345", "Scanned"]);
    }

    #[tokio::test]
    async fn a_login_that_fails_says_why_and_what_to_do() {
        let pair_error = PairError::builder()
            .id(Jid::pn("15559990000"))
            .lid(Jid::default())
            .business_name(String::new())
            .platform(String::new())
            .error("hmac-mismatch\u{1b}[2J".to_owned())
            .build();
        let code_error = PairingCodeError::builder()
            .error("rate-overlimit".to_owned())
            .build();
        let passkey = PairPasskeyRequest::builder()
            .request_options_json("{}".to_owned())
            .build();
        let old_phone = QrScannedWithoutMultidevice::builder().build();
        let locked = LoggedOut::builder()
            .on_connect(true)
            .reason(ConnectFailureReason::AccountLocked)
            .build();
        for (by_code, happened, reason) in [
            (
                false,
                event(Event::PairError(pair_error)),
                "hmac-mismatch\\u{1b}[2J",
            ),
            (
                true,
                event(Event::PairingCodeError(code_error)),
                "rate-overlimit",
            ),
            (false, event(Event::PairPasskeyRequest(passkey)), "passkey"),
            (
                false,
                event(Event::QrScannedWithoutMultidevice(old_phone)),
                "links no devices",
            ),
            (false, event(Event::LoggedOut(locked)), "locked"),
        ] {
            let (end, _) = follow_all(by_code, [happened]).await;
            let Err(LoginError::Refused {
                reason: told,
                advice,
            }) = end
            else {
                panic!("{reason}: {end:?}");
            };
            assert!(told.contains(reason) && !advice.is_empty(), "{told}");
        }
        let (end, _) = follow_all(false, [failure(), qr("2@a")]).await;
        let error = end.unwrap_err();
        assert!(matches!(error, LoginError::Unavailable { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "WhatsApp cannot be reached: the connection was closed"
        );
        let (end, _) = follow_all(false, [qr("2@a")]).await;
        assert!(
            matches!(end, Err(LoginError::Unavailable { .. })),
            "{end:?}"
        );
        let exhausted = PairingQrCodesExhausted::builder().disconnected(true);
        let exhausted = event(Event::PairingQrCodesExhausted(exhausted.build()));
        let (end, _) = follow_all(false, [qr("2@a"), exhausted]).await;
        assert!(matches!(end, Err(LoginError::TimedOut)), "{end:?}");
        // Connected without a pairing is no login.
        let (end, _) = follow_all(false, [connected()]).await;
        assert!(end.is_err());
    }

    #[test]
    fn a_pairing_code_is_shown_as_phones_show_it() {
        assert_eq!(spaced("ABCD2345"), "ABCD-2345");
        for odd in ["", "ABC", "ABCD", "ABCD23456", "ABC\u{e9}2345"] {
            assert_eq!(spaced(odd), odd);
        }
    }
}
