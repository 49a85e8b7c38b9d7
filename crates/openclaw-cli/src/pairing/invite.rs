//! `openclaw pairing invite`.

use gateway_protocol::dm::DmInvited;
use pairing_core::{AccountId, ChannelId, Principal};
use serde_json::json;

use super::{Call, Place};
use crate::backend::Backend;
use crate::console::Screen;
use crate::{Exit, Failure, text};

impl Call {
    pub(super) fn invite(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        principal: Option<&Principal>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let invited = self.issue(channel, account, principal)?;
        if self.json {
            screen.json(&invited)?;
            return Ok(Exit::Done);
        }
        let expires_at = pairing_core::Timestamp::from_millis(invited.expires_at_ms);
        // It was issued a moment ago, and 10 minutes are not 9.
        let half = std::time::Duration::from_secs(30);
        let left = text::left(self.backend.now(), expires_at + half);
        screen.line(format_args!("/bind {}", invited.code))?;
        let place = Place(channel, account);
        screen.note(format_args!(
            "The sender who writes this to the bot in a direct message on {place} is let in, the first and no other, \
             within {left}."
        ));
        Ok(Exit::Done)
    }

    fn issue(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        principal: Option<&Principal>,
    ) -> Result<DmInvited, Failure> {
        match &self.backend {
            Backend::Files(files) => {
                let mut approver = files.approver.clone();
                if let Some(principal) = principal {
                    approver = approver.for_principal(principal.clone());
                }
                let invited = self.account(files, channel, account)?.invite(&approver)?;
                Ok(DmInvited {
                    code: invited.code.expose().to_owned(),
                    channel: invited.claim.channel,
                    account_id: invited.claim.account,
                    expires_at_ms: invited.claim.expires_at.as_millis(),
                })
            }
            Backend::Gateway(remote) => {
                let mut params = json!({ "channel": channel, "accountId": account });
                if let Some(principal) = principal {
                    params["principal"] = json!(principal);
                }
                remote.call("pairing.invite", &params)
            }
        }
    }
}
