//! `openclaw pairing approve` and `reject`.

use std::path::PathBuf;

use openclaw_config::Config;
use pairing_core::{
    AccountId, ChannelId, ChannelRules, DecisionError, PairingCode, escape, quoted,
};
use pairing_fs::StateDir;

use super::{Call, Place};
use crate::args::Approving;
use crate::backend::{Request, Waiting};
use crate::console::Screen;
use crate::failure::{TheirsError, UsageError};
use crate::{Exit, Failure, json, text};

/// The file for the first owner.
struct FirstOwner<'c> {
    state: &'c StateDir,
    config: &'c Config,
}

impl FirstOwner<'_> {
    fn make(&self, request: &Request) -> Result<(), Failure> {
        let channel = &request.channel;
        gateway_channels::make_owner(self.state, self.config, channel, &request.sender)?;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        gateway_channels::owners_path(self.state)
    }
}

impl Call {
    pub(super) fn approve(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
        approving: &Approving,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let Approving {
            ref subject,
            ref no_code,
            notify,
            make_owner,
        } = *approving;
        let hidden = self.backend.hides_codes();
        if let Some(wrong) = no_code.clone().filter(|_| !hidden) {
            return Err(UsageError::from(wrong).into());
        }
        if hidden && make_owner {
            return Err(TheirsError::Owner.into());
        }
        // Whether there can be a first owner is checked before anything is decided.
        let owner = make_owner.then(|| self.first_owner()).transpose()?;
        let channel = if let Some(id) = channel {
            id.clone()
        } else {
            let noun = if hidden { "id or sender" } else { "code" };
            self.holding(account, subject, noun, screen, |rules, request| {
                let of_sender = hidden && names_sender(rules, subject, request);
                request.handle.is(subject) || of_sender
            })?
        };
        let (request, told) = self
            .backend
            .approve_sender(&channel, account, subject, notify)?;
        let notified = told.as_ref().map(Result::is_ok);
        let exit = self.decided("approved", &request, notified, screen)?;
        match told {
            Some(Ok(())) => screen.note("The sender has been told."),
            Some(Err(why)) => screen.caution(&format!(
                "the sender has not been told: {}",
                escape(&why).limit(300)
            )),
            None => {}
        }
        if let Some(owner) = owner {
            owner.make(&request)?;
            screen.note(format_args!(
                "{}:{} is the first owner now, by {}.",
                request.channel,
                escape(request.sender.as_str()),
                owner.path().display()
            ));
        }
        self.mind_policy(&request.channel, &request.account, screen);
        let sender = request.sender.as_str();
        if self.backend.is_here() && self.is_blocked(&request.channel, &request.account, sender) {
            screen.caution(&format!(
                "{} is on blockFrom of the configuration, and gets no answer until that is taken away",
                escape(sender).limit(64)
            ));
        }
        Ok(exit)
    }

    fn first_owner(&self) -> Result<FirstOwner<'_>, Failure> {
        let state = self.state.as_ref().filter(|_| self.backend.is_here());
        let owner = FirstOwner {
            state: state.ok_or(Failure::OwnerElsewhere)?,
            config: &self.config,
        };
        gateway_channels::may_make_owner(owner.state, owner.config)?;
        Ok(owner)
    }

    pub(super) fn reject(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
        subject: &str,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let by_code = PairingCode::parse(subject);
        if let (None, Err(error)) = (channel, &by_code)
            && !self.backend.hides_codes()
            && !self.backend.may_be_sender(subject)
        {
            return Err(UsageError::from(error.clone()).into());
        }
        let channel = match channel {
            Some(id) => id.clone(),
            None => self.holding(
                account,
                subject,
                "code or sender",
                screen,
                |rules, request| {
                    request.handle.is(subject) || names_sender(rules, subject, request)
                },
            )?,
        };
        let rejected = self.backend.reject_sender(&channel, account, subject);
        let rejected = rejected.map_err(|failure| match failure {
            Failure::Decision(DecisionError::NotFound { channel }) => {
                Failure::NothingToReject(channel)
            }
            failure => failure,
        })?;
        self.decided("rejected", &rejected, None, screen)
    }

    /// Finds the one channel with a matching request; requests of the named account come first.
    fn holding(
        &self,
        account: Option<&AccountId>,
        typed: &str,
        noun: &'static str,
        screen: &mut Screen<'_, '_>,
        matches: impl Fn(&ChannelRules, &Request) -> bool,
    ) -> Result<ChannelId, Failure> {
        let mut found = Vec::new();
        let mut unread = Vec::new();
        for channel in self.backend.waiting(None, None)? {
            match channel {
                Ok(mut channel) => {
                    let rules = channel.rules.clone();
                    channel
                        .requests
                        .retain(|waiting| matches(&rules, &waiting.request));
                    if !channel.requests.is_empty() {
                        found.push(channel);
                    }
                }
                Err(failure) => unread.push(failure),
            }
        }
        if found.len() > 1
            && let Some(account) = account
        {
            let of_account = |waiting: &Waiting| waiting.request.account == *account;
            found.retain(|channel| channel.requests.iter().any(of_account));
        }
        match (found.pop(), found.is_empty()) {
            (Some(channel), true) => {
                // The other channels were searched; the owner is told which one was not.
                for failure in unread {
                    screen.warning(&failure);
                }
                Ok(channel.id().clone())
            }
            (Some(last), false) => {
                let channels = found.iter().chain([&last]);
                let channels = channels.map(|channel| channel.id().clone()).collect();
                Err(Failure::InSeveralChannels(channels))
            }
            (None, _) => Err(match unread.into_iter().next() {
                Some(failure) => failure,
                None => match self.backend.known_channel(typed) {
                    Some(channel) => UsageError::LoneChannel(channel).into(),
                    None => Failure::InNoChannel(noun),
                },
            }),
        }
    }

    fn decided(
        &self,
        status: &'static str,
        request: &Request,
        notified: Option<bool>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        let Request {
            channel,
            account,
            sender,
            handle,
            meta,
            ..
        } = request;
        if self.json {
            screen.json(&json::Decided {
                channel,
                account,
                status,
                id: sender,
                code: handle.code(),
                request_id: handle.id(),
                notified,
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
            let sender = quoted(sender.as_str());
            screen.line(format_args!(
                "{did} {}: {sender}{known}",
                Place(channel, account)
            ))?;
        }
        Ok(Exit::Done)
    }
}

fn names_sender(rules: &ChannelRules, typed: &str, request: &Request) -> bool {
    rules.sender(typed).is_ok_and(|id| id == request.sender)
}
