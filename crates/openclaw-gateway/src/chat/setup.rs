//! `/pair` and `/pair qr`: a setup code, bound to the chat in which it was requested.
//!
//! The address is found and checked first. A code that cannot be delivered is ended again.

use gateway_protocol::SetupCode;
use pairing_core::device::{SetupProfile, TokenHash};
use pairing_core::{DeviceError, Timestamp};
use zeroize::Zeroizing;

use super::asking::RequestRef;
use super::{Commands, STORE_FAILED, approver, chat_key, store_failed, tell};
use crate::{Reach, qr, words};
use channel_kit::{MessageId, Outgoing, SendError};
use gateway_channels::OwnerMessage;

/// A code that was issued and not shown yet.
struct Issued {
    code: Zeroizing<String>,
    hash: TokenHash,
    expires_at: Timestamp,
}

impl Commands {
    /// Issues a code and sends it. Returns the text to answer with, if the code could not be sent.
    pub(super) async fn set_up(
        &self,
        owner: &OwnerMessage,
        profile: SetupProfile,
        drawn: bool,
    ) -> Option<String> {
        let reach = match self.reach() {
            Ok(reach) => reach,
            Err(error) => {
                return Some(format!(
                    "No setup code: {error}. To do: {}.",
                    error.advice()
                ));
            }
        };
        let issued = match self.issue(owner, profile, &reach).await {
            Ok(issued) => issued,
            Err(said) => return Some(said),
        };
        let instruction = self.instruction(owner, profile, &reach, &issued, drawn);
        let instruction = Outgoing::text(instruction);
        let sent = match tell(&*owner.adapter, &owner.chat, &instruction).await {
            Ok(_) => deliver(owner, &issued.code, drawn).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(message) => {
                self.remember(owner, RequestRef::Code(issued.hash), String::new(), message)
                    .await;
                None
            }
            Err(error) => {
                tracing::warn!(%error, "setup code not delivered: it was ended");
                let approver = approver(owner);
                let end = move |commands: &Self| {
                    let devices = commands.pairing().devices();
                    devices.end_pairing_token(issued.hash, &approver).is_ok()
                };
                self.at_store(end).await;
                Some("The setup code could not be delivered, and does not count.".to_owned())
            }
        }
    }

    async fn issue(
        &self,
        owner: &OwnerMessage,
        profile: SetupProfile,
        reach: &Reach,
    ) -> Result<Issued, String> {
        let (chat, approver, reach) = (chat_key(owner), approver(owner), reach.clone());
        let issued = self.at_store(move |commands| {
            let devices = commands.pairing().devices();
            let issued = devices.issue_pairing_token(profile, Some(&chat), &approver);
            let (token, issued) = issued.map_err(|error| match error {
                DeviceError::Store(error) => store_failed(&error),
                error => format!("No setup code: {error}."),
            })?;
            let code = SetupCode {
                expires_at: Some(issued.expires_at),
                tls_fingerprint: reach.tls_fingerprint,
                ..SetupCode::new(reach.url, token)
            };
            Ok(Issued {
                code: code.encode(),
                hash: issued.hash,
                expires_at: issued.expires_at,
            })
        });
        issued.await.unwrap_or_else(|| Err(STORE_FAILED.to_owned()))
    }

    fn instruction(
        &self,
        owner: &OwnerMessage,
        profile: SetupProfile,
        reach: &Reach,
        issued: &Issued,
        drawn: bool,
    ) -> String {
        let left = words::left(self.pairing().now(), issued.expires_at);
        let rights = words::rights(&profile.ask(), None);
        let how = if drawn {
            "scan the code"
        } else {
            "paste the setup code"
        };
        let goes = if owner.adapter.can().deletion {
            "It is deleted here once it was used or is over."
        } else {
            "Delete it here when you are done."
        };
        format!(
            "Pair a phone: in the OpenClaw app, under Settings, Gateway, {how} that follows, and connect. \
             Then send /pair approve here.\n\n\
             Gateway: {}\n\
             For {left}, one device may ask with it to be let in, and to\n  {}\n\n\
             Treat it like a password. {goes}",
            pairing_core::escape(reach.url.as_str()).limit(500),
            rights.join("\n  "),
        )
    }
}

/// Sends the code: in a message of its own, so that it is easy to copy, or as a picture or text drawing that
/// can be scanned.
async fn deliver(owner: &OwnerMessage, code: &str, drawn: bool) -> Result<MessageId, SendError> {
    let mut what = Outgoing::text(String::new()).secret();
    if !drawn {
        code.clone_into(&mut what.text);
    } else if owner.adapter.can().pictures {
        what.picture = Some(picture(code)?);
    } else {
        what.text = qr::render_terminal(code, false).map_err(|error| undrawn(&error))?;
    }
    tell(&*owner.adapter, &owner.chat, &what).await
}

fn picture(code: &str) -> Result<Vec<u8>, SendError> {
    let mut png = Vec::new();
    qr::render_png(code, &mut png).map_err(|error| undrawn(&error))?;
    Ok(png)
}

fn undrawn(error: &qr::QrError) -> SendError {
    SendError::Unavailable {
        reason: error.to_string(),
    }
}
