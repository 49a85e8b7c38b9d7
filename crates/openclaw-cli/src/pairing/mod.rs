//! `openclaw pairing`.

mod allowed;
mod decide;
mod list;
mod request;

use std::fmt;

use pairing_core::{Account, AccountId, Approver, Channel, ChannelId, Pairing, escape};

use crate::args::PairingCommand;
use crate::console::Screen;
use crate::{Exit, Failure};

/// A call of the service, and how to answer.
pub(crate) struct Call {
    pub(crate) service: Pairing,
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
                self.allowed(&self.account(channel, account)?, command, screen)
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
        Ok(self.channel(channel)?.account(account.as_str())?)
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
