//! `openclaw pairing`.

mod allowed;
mod decide;
mod invite;
mod list;
mod request;
mod watch;

use std::fmt;

use openclaw_config::Config;
use pairing_core::{Account, AccountId, ChannelId, Channels, DmPolicy, escape};
use pairing_fs::StateDir;

use self::watch::Senders;
use crate::args::PairingCommand;
use crate::backend::{Backend, Files};
use crate::console::Screen;
use crate::watch::{Source, run as watch};
use crate::{Exit, Failure};

/// A command about senders, and how to answer it.
pub(crate) struct Call {
    pub(crate) backend: Backend,
    pub(crate) config: Config,
    /// The directory in which the first owner would be recorded.
    pub(crate) state: Option<StateDir>,
    pub(crate) json: bool,
}

impl Call {
    pub(crate) fn run(
        mut self,
        command: &PairingCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        match command {
            PairingCommand::List(channel, account) => {
                self.list(channel.as_ref(), account.as_ref(), screen)
            }
            PairingCommand::Watch if self.backend.hides_codes() => Err(Failure::Lacks {
                method: "pairing.list",
            }),
            PairingCommand::Watch => {
                let source = Source::follow(&mut self.backend)?;
                watch(&Senders(&self), source, self.json, screen)
            }
            PairingCommand::Approve(channel, account, approving) => {
                self.approve(channel.as_ref(), account.as_ref(), approving, screen)
            }
            PairingCommand::Reject(channel, account, request) => {
                self.reject(channel.as_ref(), account.as_ref(), request, screen)
            }
            PairingCommand::Allowed(channel, account, command) => {
                let exit = self.allowed(channel, account, command, screen)?;
                self.mind_policy(channel, account, screen);
                Ok(exit)
            }
            PairingCommand::Invite(channel, account, principal) => {
                self.invite(channel, account, principal.as_ref(), screen)
            }
            PairingCommand::Invites(channel, account) => {
                self.invites(channel, account.as_ref(), screen)
            }
            PairingCommand::EndInvite(channel, id) => self.end_invite(channel, id, screen),
            PairingCommand::Request(channel, account, asking) => {
                let Backend::Files(files) = &self.backend else {
                    return Err(Failure::AskedElsewhere);
                };
                self.request(
                    files,
                    &self.account(files, channel, account)?,
                    asking,
                    screen,
                )
            }
        }
    }

    fn account(
        &self,
        files: &Files,
        channel: &ChannelId,
        account: &AccountId,
    ) -> Result<Account, Failure> {
        let account = files.channel(channel)?.account_of(account.clone());
        let access = self.config.access(account.channel().rules(), account.id());
        Ok(account.with_access(access))
    }

    /// Whether this machine's configuration blocks a sender.
    fn is_blocked(&self, channel: &ChannelId, account: &AccountId, sender: &str) -> bool {
        let channels = Channels::builtin();
        let Some(rules) = channels.get(channel) else {
            return false;
        };
        let Ok(sender) = rules.sender(sender) else {
            return false;
        };
        let blocked = self.config.account(channel, account).block_from;
        let mut blocked = blocked.iter().flatten();
        blocked.any(|entry| rules.sender(entry).is_ok_and(|entry| entry == sender))
    }

    /// Warns if approvals have no effect, by this machine's configuration.
    fn mind_policy(&self, channel: &ChannelId, account: &AccountId, screen: &mut Screen<'_, '_>) {
        if !self.backend.is_here() {
            return;
        }
        if let Some(fault) = self.config.account(channel, account).closed_by() {
            let place = Place(channel, account);
            screen.caution(&format!(
                "approvals do not count for {place}, which is closed: {fault}"
            ));
            return;
        }
        let policy = self.config.dm_policy(channel, account);
        if policy != DmPolicy::Pairing {
            let place = Place(channel, account);
            let policy = policy.as_str();
            screen.caution(&format!(
                "approvals do not count for {place}: its dmPolicy is {policy}, not pairing"
            ));
        }
    }
}

/// `telegram`, or `telegram (account work)`.
struct Place<'a>(&'a ChannelId, &'a AccountId);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(channel, account) = self;
        write!(f, "{channel}")?;
        if !account.is_default() {
            write!(f, " (account {})", escape(account.as_str()))?;
        }
        Ok(())
    }
}
