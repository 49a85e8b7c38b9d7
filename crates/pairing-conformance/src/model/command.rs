//! The commands, and the strategies that draw them.

use pairing_core::PairingCode;
use proptest::prelude::*;

/// The channels of the model; each has both accounts.
pub(super) const CHANNELS: [&str; 2] = ["telegram", "discord"];
pub(super) const ACCOUNTS: [&str; 2] = ["default", "work"];
/// Two more than an account's maximum of pending requests.
pub(super) const SENDERS: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];
const HANDLES: usize = 3;

/// One command through one of the handles, possibly cut off by a crash after some steps.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) handle: usize,
    pub(super) crash_after: Option<usize>,
    pub(super) command: Command,
}

/// A sender at an account of a channel, as indexes into the lists above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) channel: usize,
    pub(super) account: usize,
    pub(super) sender: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Command {
    Ask(Who),
    Approve(Guess),
    Reject(Guess),
    RejectSender(Who),
    Allow(Who),
    Revoke(Who),
    Wait(Wait),
}

/// A typed code, for a channel or one of its accounts.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    pub(super) channel: usize,
    pub(super) account: Option<usize>,
    pub(super) code: Code,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Code {
    /// The code of one of the pending requests, if there are any.
    Running(usize),
    /// Any of the codes that can be drawn.
    Any(u8),
}

#[derive(Debug, Clone)]
pub(super) enum Wait {
    Millis(i64),
    /// Until `offset` milliseconds after the expiry of a pending request.
    End {
        of: usize,
        offset: i64,
    },
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}

fn step() -> impl Strategy<Value = Step> {
    let crash_after = prop_oneof![4 => Just(None), 1 => (0..24usize).prop_map(Some)];
    (0..HANDLES, crash_after, command()).prop_map(|(handle, crash_after, command)| Step {
        handle,
        crash_after,
        command,
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => who().prop_map(Command::Ask),
        6 => guess().prop_map(Command::Approve),
        2 => guess().prop_map(Command::Reject),
        1 => who().prop_map(Command::RejectSender),
        1 => who().prop_map(Command::Allow),
        3 => who().prop_map(Command::Revoke),
        4 => wait().prop_map(Command::Wait),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    let sender = (0..CHANNELS.len(), 0..ACCOUNTS.len(), 0..SENDERS.len());
    sender.prop_map(|(channel, account, sender)| Who {
        channel,
        account,
        sender,
    })
}

fn guess() -> impl Strategy<Value = Guess> {
    let code = prop_oneof![
        3 => (0..12usize).prop_map(Code::Running),
        1 => (0..32u8).prop_map(Code::Any),
    ];
    let account = proptest::option::of(0..ACCOUNTS.len());
    (0..CHANNELS.len(), account, code).prop_map(|(channel, account, code)| Guess {
        channel,
        account,
        code,
    })
}

fn wait() -> impl Strategy<Value = Wait> {
    const HOUR: i64 = 3_600_000;
    prop_oneof![
        3 => (0..12usize, -1..=1i64).prop_map(|(of, offset)| Wait::End { of, offset }),
        2 => (0..2 * HOUR / 3).prop_map(Wait::Millis),
        1 => (HOUR..1000 * 24 * HOUR).prop_map(Wait::Millis),
    ]
}

impl Code {
    /// Returns the code; [`Code::Running`] is chosen from `running`.
    pub(super) fn choose(self, running: &[PairingCode]) -> PairingCode {
        match self {
            Self::Running(n) if !running.is_empty() => running[n % running.len()],
            Self::Running(_) => PairingCode::from_entropy([0; 8]),
            Self::Any(byte) => PairingCode::from_entropy([byte; 8]),
        }
    }
}
