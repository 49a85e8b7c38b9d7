//! `openclaw pairing invite` and `openclaw pairing invites`.

use gateway_protocol::dm::{DmInvitation, DmInvitationEnded, DmInvitations, DmInvited};
use pairing_core::{AccountId, ChannelId, Principal, Timestamp, escape};
use serde_json::json;

use super::{Call, Place};
use crate::backend::Backend;
use crate::console::{Rows, Screen};
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
        let expires_at = Timestamp::from_millis(invited.expires_at_ms);
        // It was issued a moment ago, and 10 minutes are not 9.
        let half = std::time::Duration::from_secs(30);
        let left = text::left(self.backend.now(), expires_at + half);
        screen.line(format_args!("/bind {}", invited.code))?;
        let place = Place(channel, account);
        screen.note(format_args!(
            "The sender who writes this to the bot in a direct message on {place} is let in, the first and no other, \
             within {left}."
        ));
        if let Some(id) = invited.id {
            screen.note(format_args!(
                "To end it before: `openclaw pairing invite {channel} --end {}`",
                escape(&id)
            ));
        }
        Ok(Exit::Done)
    }

    pub(super) fn invites(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let invitations = self.issued(channel, account)?;
        if self.json {
            screen.json(&DmInvitations {
                channel: channel.clone(),
                invitations,
            })?;
        } else if invitations.is_empty() {
            screen.remark(format_args!("No code for {channel} is good."))?;
        } else {
            let rows = Rows {
                header: ["Id", "Account", "Issued by", "For", "Good for"],
                breakable: &[2, 3],
                cells: invitations.iter().map(|one| self.invite_row(one)).collect(),
            };
            screen.rows(channel.as_str(), rows)?;
        }
        Ok(Exit::Done)
    }

    fn invite_row(&self, invitation: &DmInvitation) -> [String; 5] {
        let expires_at = Timestamp::from_millis(invitation.expires_at_ms);
        let principal = invitation.principal.as_ref();
        [
            escape(&invitation.id).to_string(),
            escape(invitation.account_id.as_str()).to_string(),
            escape(invitation.issued_by.as_str()).to_string(),
            principal.map_or_else(String::new, |user| escape(user.as_str()).to_string()),
            text::left(self.backend.now(), expires_at),
        ]
    }

    pub(super) fn end_invite(
        &self,
        channel: &ChannelId,
        id: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        if !self.end(channel, id)? {
            let (channel, id) = (channel.clone(), id.to_owned());
            return Err(Failure::NoInvitation { channel, id });
        }
        if self.json {
            screen.json(&DmInvitationEnded {
                channel: channel.clone(),
                id: id.to_owned(),
                ended: true,
            })?;
        } else {
            screen.line(format_args!("Ended {channel}: {}", escape(id)))?;
        }
        Ok(Exit::Done)
    }

    fn issued(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
    ) -> Result<Vec<DmInvitation>, Failure> {
        match &self.backend {
            Backend::Files(files) => {
                let claims = files.channel(channel)?.claims()?;
                let is_meant = |of| account.is_none_or(|account| account == of);
                let meant = claims.iter().filter(|claim| is_meant(&claim.account));
                let mut issued: Vec<DmInvitation> = meant.map(Into::into).collect();
                issued.sort_by_key(|one| std::cmp::Reverse(one.issued_at_ms));
                Ok(issued)
            }
            Backend::Gateway(remote) => {
                let mut params = json!({ "channel": channel });
                if let Some(account) = account {
                    params["accountId"] = json!(account);
                }
                let listed: DmInvitations = remote.call("pairing.invite.list", &params)?;
                Ok(listed.invitations)
            }
        }
    }

    /// Whether there was such a code.
    fn end(&self, channel: &ChannelId, id: &str) -> Result<bool, Failure> {
        match &self.backend {
            Backend::Files(files) => {
                let channel = files.channel(channel)?;
                Ok(channel.end_claim(id, &files.approver)?.is_some())
            }
            Backend::Gateway(remote) => {
                let params = json!({ "channel": channel, "id": id });
                let answer: DmInvitationEnded = remote.call("pairing.invite.end", &params)?;
                Ok(answer.ended)
            }
        }
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
                    id: Some(invited.claim.id()),
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
