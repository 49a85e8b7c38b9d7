//! `openclaw pairing`.

mod allowed;
mod decide;
mod list;
mod request;

use std::fmt;

use openclaw_config::Config;
use pairing_core::{Account, AccountId, Approver, Channel, ChannelId, DmPolicy, Pairing, escape};

use crate::args::PairingCommand;
use crate::console::Screen;
use crate::{Exit, Failure};

/// A call of the service, and how to answer.
pub(crate) struct Call {
    pub(crate) service: Pairing,
    pub(crate) config: Config,
    pub(crate) approver: Approver,
    pub(crate) json: bool,
}

impl Call {
    pub(crate) fn run(
        &self,
        command: &PairingCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        match command {
            PairingCommand::List(channel, account) => {
                self.list(channel.as_ref(), account.as_ref(), screen)
            }
            PairingCommand::Approve(channel, account, code) => {
                self.approve(channel.as_ref(), account.as_ref(), *code, screen)
            }
            PairingCommand::Reject(channel, account, request) => {
                self.reject(channel.as_ref(), account.as_ref(), request, screen)
            }
            PairingCommand::Allowed(channel, account, command) => {
                let exit = self.allowed(&self.account(channel, account)?, command, screen)?;
                self.mind_policy(channel, account, screen);
                Ok(exit)
            }
            PairingCommand::Request(channel, account, asking) => {
                self.request(&self.account(channel, account)?, asking, screen)
            }
        }
    }

    fn channel(&self, id: &ChannelId) -> Result<Channel, Failure> {
        Ok(self.service.channel(id.as_str())?)
    }

    fn account(&self, channel: &ChannelId, account: &AccountId) -> Result<Account, Failure> {
        let account = self.channel(channel)?.account(account.as_str())?;
        let access = self.config.access(account.channel().rules(), account.id());
        Ok(account.with_access(access))
    }

    /// Warns where approvals do not count.
    fn mind_policy(&self, channel: &ChannelId, account: &AccountId, screen: &mut Screen<'_, '_>) {
        let policy = self.config.dm_policy(channel, account);
        if policy != DmPolicy::Pairing {
            let place = Place(channel, account);
            let policy = policy.as_str();
            screen.caution(&format!(
                "approvals do not count for {place}: its dmPolicy is {policy}, not pairing"
            ));
        }
    }

    /// The channel that was named, or else all of them.
    fn channels(&self, named: Option<&ChannelId>) -> Result<Vec<Channel>, Failure> {
        if let Some(id) = named {
            return Ok(vec![self.channel(id)?]);
        }
        let known = self.service.channels().iter();
        known.map(|rules| self.channel(rules.id())).collect()
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
