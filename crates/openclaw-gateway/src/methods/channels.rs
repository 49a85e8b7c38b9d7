//! `pairing.channels` and `channels.status`: the accounts, whether each runs, and whether it is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use channel_kit::{Connection, Status};
use gateway_channels::BuildError;
use gateway_protocol::ErrorShape;
use gateway_protocol::channel::{
    AccountConnection, AccountStatus, ChannelStatus, ChannelStatuses, ConnectionState, StatusParams,
};
use gateway_protocol::channels_pairing::channel_label;
use gateway_protocol::channels_status::ChannelsStatus;
use pairing_core::{AccountId, ChannelId, ChannelRules, Timestamp};

use super::{Call, Reply};

/// The longest that asking the chat systems may take, unless the caller says, and whatever it says.
const WITHIN: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(30);

/// `pairing.channels`.
pub(super) async fn status(call: Call) -> Reply {
    let statuses = statuses(&call).await?;
    call.reply(&statuses)
}

/// `channels.status`, as the other program's releases have it.
pub(super) async fn their_status(call: Call) -> Reply {
    let statuses = statuses(&call).await?;
    let now = call.pairing().now().as_millis();
    call.reply(&ChannelsStatus::new(&statuses, now, channel_label))
}

async fn statuses(call: &Call) -> Result<ChannelStatuses, ErrorShape> {
    let params: StatusParams = call.params()?;
    let mut statuses = now(call);
    if let Some(channel) = &params.channel {
        statuses
            .channels
            .retain(|status| status.channel == *channel);
    }
    if params.probe {
        let within = params.timeout_ms.map_or(WITHIN, Duration::from_millis);
        let adapters = call.parts.channels.adapters();
        let running = statuses.channels.iter().flat_map(|channel| {
            let running = channel.accounts.iter().filter(|account| account.running);
            running.map(|account| (channel.channel.clone(), account.account_id.clone()))
        });
        let adapters: Vec<_> = running
            .filter_map(|key| adapters.get(&key).cloned())
            .collect();
        let mut probed = call.parts.probes.ask(&adapters, within.min(LONGEST)).await;
        for channel in &mut statuses.channels {
            for account in channel
                .accounts
                .iter_mut()
                .filter(|account| account.running)
            {
                let key = (channel.channel.clone(), account.account_id.clone());
                account.probe = probed.remove(&key);
            }
        }
    }
    Ok(statuses)
}

/// The accounts as they are.
fn now(call: &Call) -> ChannelStatuses {
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
    let unbuilt = channels.unbuilt();
    let status = |(channel, accounts): (&ChannelId, BTreeSet<AccountId>)| {
        let account = |account_id: AccountId| {
            // An account that is turned off does not run, nor does one of a channel without rules, whose
            // senders could not be told apart.
            let adapter = channels.adapter(config, channel, &account_id);
            AccountStatus {
                dm_policy: config.dm_policy(channel, &account_id),
                running: adapter.is_some() && known.get(channel).is_some(),
                can_link: adapter.as_ref().is_some_and(|it| it.login().is_some()),
                connection: match adapter {
                    Some(adapter) => Some(connection(adapter.status())),
                    None => unbuilt
                        .get(&(channel.clone(), account_id.clone()))
                        .map(cannot_run),
                },
                probe: None,
                account_id,
            }
        };
        ChannelStatus {
            channel: channel.clone(),
            configured: configured.contains(channel),
            accounts: accounts.into_iter().map(account).collect(),
        }
    };
    ChannelStatuses {
        channels: all.into_iter().map(status).collect(),
    }
}

/// The state of an account whose settings cannot be used.
fn cannot_run(error: &BuildError) -> AccountConnection {
    AccountConnection {
        state: ConnectionState::Stopped,
        since_ms: None,
        last_received_ms: None,
        last_error: Some(error.error.clone()),
    }
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
