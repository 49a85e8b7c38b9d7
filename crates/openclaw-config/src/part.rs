//! The parts of an install that a fault can close.

use std::fmt;

use pairing_core::{AccountId, ChannelId};

/// A part of an install that depends on some of the configuration's keys.
///
/// A key that restricts access and cannot be understood closes the part that depends on it, and nothing
/// else: [`Config::closed_by`](crate::Config::closed_by) tells the reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The gateway: it does not start. A running one keeps its former settings, except those of channels.
    Gateway,
    /// The gateway's shared secret: without another one from the environment or the command line, the gateway
    /// does not start.
    Secret,
    /// The page for browsers: it is not served.
    Page,
    /// Commands to nodes: none is passed on.
    Nodes,
    /// Commands that a gateway carries out: none is sent, unless `--url` names the gateway.
    Remote,
    /// An account: its bot does not run, and nobody may write to it.
    Account(ChannelId, AccountId),
    /// Owners in chats: there are none.
    Owners,
    /// Setup codes: none is issued.
    SetupCodes,
    /// The records of pairing: nothing is read or written, because they may be elsewhere.
    Store,
}

impl fmt::Display for Part {
    /// `the gateway`, `telegram/work`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "the gateway",
            Self::Secret => "the gateway's secret",
            Self::Page => "the gateway's page",
            Self::Nodes => "commands to nodes",
            Self::Remote => "commands through a gateway",
            Self::Account(channel, account) => return write!(f, "{channel}/{account}"),
            Self::Owners => "owners in chats",
            Self::SetupCodes => "setup codes",
            Self::Store => "the records of pairing",
        })
    }
}
