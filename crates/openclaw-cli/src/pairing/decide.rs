//! `openclaw pairing approve` and `reject`.

use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, Channel, ChannelId, DecisionError, PairingCode, escape};

use super::{Call, Place};
use crate::args::UsageError;
use crate::console::Screen;
use crate::{Exit, Failure, json, text};

impl Call {
    pub(super) fn approve(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
        code: PairingCode,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let channel = match channel {
            Some(id) => self.channel(id)?,
            None => self.holding(account, code.as_str(), "code", screen, |_, request| {
                request.code == code
            })?,
        };
        let approved = match account {
            Some(account) => channel
                .account(account.as_str())?
                .approve(code.as_str(), &self.approver)?,
            None => channel.approve(code.as_str(), &self.approver)?,
        };
        let request = &approved.request;
        let exit = self.decided("approved", request, screen)?;
        self.mind_policy(&request.channel, &request.account, screen);
        Ok(exit)
    }

    pub(super) fn reject(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
        subject: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let by_code = PairingCode::parse(subject);
        if let (None, Err(error)) = (channel, &by_code) {
            let mut rules = self.service.channels().iter();
            if !rules.any(|rules| rules.sender(subject).is_ok()) {
                return Err(UsageError::from(error.clone()).into());
            }
        }
        let channel = match channel {
            Some(id) => self.channel(id)?,
            None => self.holding(
                account,
                subject,
                "code or sender",
                screen,
                |channel, request| {
                    let by_sender = channel.rules().sender(subject);
                    by_code == Ok(request.code) || by_sender.is_ok_and(|id| id == request.sender)
                },
            )?,
        };
        let rejected = match account {
            Some(account) => channel
                .account(account.as_str())?
                .reject(subject, &self.approver),
            None => channel.reject(subject, &self.approver),
        };
        let rejected = rejected.map_err(|error| match error {
            DecisionError::NotFound { channel } => Failure::NothingToReject(channel),
            error => error.into(),
        })?;
        self.decided("rejected", &rejected, screen)
    }

    /// The one channel with a pending request that matches; those of the account come first.
    fn holding(
        &self,
        account: Option<&AccountId>,
        typed: &str,
        noun: &'static str,
        screen: &mut Screen<'_, '_>,
        matches: impl Fn(&Channel, &PendingRequest) -> bool,
    ) -> Result<Channel, Failure> {
        let mut found = Vec::new();
        let mut unread = Vec::new();
        for channel in self.channels(None)? {
            match channel.pending() {
                Ok(pending) => {
                    let mut requests = pending.requests;
                    requests.retain(|request| matches(&channel, request));
                    if !requests.is_empty() {
                        found.push((channel, requests));
                    }
                }
                Err(error) => unread.push(error),
            }
        }
        if found.len() > 1
            && let Some(account) = account
        {
            found.retain(|(_, requests)| requests.iter().any(|r| r.account == *account));
        }
        match (found.pop(), found.is_empty()) {
            (Some((channel, _)), true) => {
                // The rest was searched; the owner learns what was not.
                for error in unread {
                    screen.warning(&error.into());
                }
                Ok(channel)
            }
            (Some((last, _)), false) => {
                let channels = found.iter().map(|(channel, _)| channel).chain([&last]);
                let channels = channels.map(|channel| channel.id().clone()).collect();
                Err(Failure::InSeveralChannels(channels))
            }
            (None, _) => Err(match unread.into_iter().next() {
                Some(error) => error.into(),
                None => match self.service.channel(typed) {
                    Ok(channel) => UsageError::LoneChannel(channel.id().clone()).into(),
                    Err(_) => Failure::InNoChannel(noun),
                },
            }),
        }
    }

    fn decided(
        &self,
        status: &'static str,
        request: &PendingRequest,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let PendingRequest {
            channel,
            account,
            sender,
            code,
            meta,
            ..
        } = request;
        if self.json {
            screen.json(&json::Decided {
                channel,
                account,
                status,
                id: sender,
                code: *code,
            })?;
        } else {
            let known = match text::meta(meta) {
                none if none.is_empty() => none,
                some => format!(" ({some})"),
            };
            let did = if status == "approved" {
                "Approved"
            } else {
                "Rejected"
            };
            let sender = escape(sender.as_str());
            screen.line(format_args!(
                "{did} {}: {sender}{known}",
                Place(channel, account)
            ))?;
        }
        Ok(Exit::Done)
    }
}
