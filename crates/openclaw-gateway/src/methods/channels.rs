//! `pairing.channels`: the accounts, whether each runs, and whether it is connected.

use std::collections::{BTreeMap, BTreeSet};

use channel_kit::{Connection, Status};
use gateway_protocol::Empty;
use gateway_protocol::channel::{
    AccountConnection, AccountStatus, ChannelStatus, ChannelStatuses, ConnectionState,
};
use pairing_core::{AccountId, ChannelId, ChannelRules, Timestamp};

use super::{Call, Reply};

pub(super) fn status(call: &Call) -> Reply {
    call.params::<Empty>()?;
    let settings = call.parts.settings.load();
    let config = &settings.config;
    let (known, channels) = (call.pairing().channels(), &call.parts.channels);
    let adapters = channels.adapters();
    let mut all: BTreeMap<&ChannelId, BTreeSet<AccountId>> = BTreeMap::new();
    let all_known = known.iter().map(ChannelRules::id);
    for channel in all_known.chain(config.channels()) {
        let accounts = all.entry(channel).or_default();
        accounts.insert(AccountId::default());
        accounts.extend(config.accounts(channel).cloned());
    }
    for adapter in adapters.iter() {
        let accounts = all.entry(adapter.channel()).or_default();
        accounts.insert(adapter.account().clone());
    }
    let configured: BTreeSet<_> = config.channels().collect();
    let status = |(channel, accounts): (&ChannelId, BTreeSet<AccountId>)| {
        let account = |account_id: AccountId| {
            // An account that is turned off does not run, nor does one of a channel without rules, whose
            // senders could not be told apart.
            let adapter = channels.adapter(config, channel, &account_id);
            AccountStatus {
                dm_policy: config.dm_policy(channel, &account_id),
                running: adapter.is_some() && known.get(channel).is_some(),
                connection: adapter.map(|adapter| connection(adapter.status())),
                account_id,
            }
        };
        ChannelStatus {
            channel: channel.clone(),
            configured: configured.contains(channel),
            accounts: accounts.into_iter().map(account).collect(),
        }
    };
    call.reply(&ChannelStatuses {
        channels: all.into_iter().map(status).collect(),
    })
}

fn connection(status: Status) -> AccountConnection {
    AccountConnection {
        state: match status.connection {
            Connection::Stopped => ConnectionState::Stopped,
            Connection::Connecting => ConnectionState::Connecting,
            Connection::Connected => ConnectionState::Connected,
            Connection::Failing => ConnectionState::Failing,
            _ => ConnectionState::Unknown,
        },
        since_ms: status.since.map(Timestamp::as_millis),
        last_received_ms: status.last_received.map(Timestamp::as_millis),
        last_error: status.last_error,
    }
}
