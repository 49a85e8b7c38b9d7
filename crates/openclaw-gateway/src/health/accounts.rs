//! The accounts of chat systems, and the clock by what they say of theirs.

use std::time::Duration;

use channel_kit::{Connection, Status};
use gateway_protocol::health::FaultState;
use pairing_core::{AccountId, ChannelId, Timestamp, escape};

use super::Health;
use super::seen::Fault;

/// An account that is still connecting after this time counts as degraded. One that has failed counts as down at once.
const PATIENCE: Duration = Duration::from_secs(15);

/// A difference between the own clock and that of a chat system that makes codes and messages expire wrongly.
const SKEW: Duration = Duration::from_secs(60);

impl Health {
    /// Accounts that are turned on and receive nothing.
    pub(super) fn accounts(&self, now: Timestamp) -> Vec<Fault> {
        let settings = self.settings.load();
        let config = &settings.config;
        let adapters = self.channels.adapters();
        let mut found = Vec::new();
        for adapter in adapters.iter() {
            let (channel, account) = (adapter.channel(), adapter.account());
            if !config.account(channel, account).is_enabled() {
                continue;
            }
            let status = adapter.status();
            let age = status.since.and_then(|since| now.since(since));
            let state = match status.connection {
                Connection::Failing => FaultState::Down,
                Connection::Connecting if age.is_some_and(|age| age > PATIENCE) => {
                    FaultState::Degraded
                }
                Connection::Stopped if status.since.is_some() => FaultState::Down,
                Connection::Connecting => {
                    // An account that tries again works only once it is connected.
                    let name = account_name(channel, account);
                    found.extend(self.seen.before("channel", &name));
                    continue;
                }
                _ => {
                    found.extend(not_saved(channel, account, status));
                    continue;
                }
            };
            let name = account_name(channel, account);
            let why = status.last_error.map_or_else(
                || "it does not connect".to_owned(),
                |error| escape(&error).to_string(),
            );
            found.push(Fault {
                named: ("channel", Some(name)),
                state,
                why,
                since: status.since,
                advice: Some(format!(
                    "`openclaw channels status --channel {channel} --probe` asks the service"
                )),
            });
        }
        for ((channel, account), error) in &*self.channels.unbuilt() {
            found.push(Fault {
                named: ("channel", Some(account_name(channel, account))),
                state: FaultState::Down,
                why: error.error.clone(),
                since: None,
                advice: error.advice.map(str::to_owned),
            });
        }
        found
    }

    /// The own clock, by what the chat systems say of theirs. Where they differ among each other, the nearest counts.
    pub(super) fn clock(&self) -> Option<Fault> {
        let settings = self.settings.load();
        let config = &settings.config;
        let adapters = self.channels.adapters();
        let skews = adapters.iter().filter_map(|adapter| {
            let (channel, account) = (adapter.channel(), adapter.account());
            let is_enabled = config.account(channel, account).is_enabled();
            let ahead = adapter.status().clock_ahead_ms.filter(|_| is_enabled)?;
            Some((ahead, channel.clone()))
        });
        let (ahead, channel) = nearest(skews)?;
        let by = Duration::from_millis(ahead.unsigned_abs());
        (by > SKEW).then(|| Fault {
            named: ("clock", None),
            state: FaultState::Degraded,
            why: format!(
                "this machine's clock is {} s {} that of {channel}",
                by.as_secs(),
                if ahead > 0 { "ahead of" } else { "behind" },
            ),
            since: None,
            advice: Some("set the clock, and have it kept by NTP".to_owned()),
        })
    }
}

/// The difference from the clock that is nearest. A server of the owner's own, which may run on this machine and agree
/// with its clock for that, counts where there is no other.
fn nearest(skews: impl Iterator<Item = (i64, ChannelId)>) -> Option<(i64, ChannelId)> {
    skews.min_by_key(|(ahead, channel)| {
        let is_own = channel.as_str() == "bluebubbles";
        (is_own, ahead.unsigned_abs())
    })
}

/// An account that works, and would not know after a restart what it has received.
fn not_saved(channel: &ChannelId, account: &AccountId, status: Status) -> Option<Fault> {
    Some(Fault {
        named: ("channel", Some(account_name(channel, account))),
        state: FaultState::Degraded,
        why: format!(
            "a restart may miss or repeat messages: {}",
            status.not_saved?
        ),
        since: None,
        advice: Some(format!(
            "check the disk, and the mode of the directory {channel} in the state directory"
        )),
    })
}

/// An account, as faults name it.
pub(super) fn account_name(channel: &ChannelId, account: &AccountId) -> String {
    format!("{channel}:{}", account.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_owners_own_is_no_proof_of_the_clock() {
        let nearest = |skews: &[(i64, &str)]| {
            let skews = skews.iter();
            let skews = skews.map(|(ahead, channel)| (*ahead, ChannelId::parse(channel).unwrap()));
            nearest(skews).map(|(ahead, _)| ahead)
        };
        let skews = [(0, "bluebubbles"), (90_000, "telegram"), (-80_000, "slack")];
        assert_eq!(nearest(&skews), Some(-80_000));
        assert_eq!(nearest(&skews[..1]), Some(0));
        assert_eq!(nearest(&[]), None);
    }
}
