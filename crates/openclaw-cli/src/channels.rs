//! `openclaw channels`: the chat channels, as configured and as they run.

use std::time::Duration;

use gateway_protocol::channel::{
    AccountConnection, AccountProbe, AccountStatus, ChannelStatus, ChannelStatuses,
    ConnectionState, StatusParams,
};
use gateway_protocol::channels_status::ChannelsStatus;
use openclaw_config::Config;
use pairing_core::{AccountId, ChannelId, Timestamp, escape};
use pairing_fs::{NoStateDir, StateDir};
use serde::Serialize;

use crate::args::{ChannelsCommand, TargetOptions};
use crate::console::{Rows, Screen};
use crate::place::Place;
use crate::remote::Remote;
use crate::{Environment, Exit, Failure, login, logout, text};

/// Runs a command about the chat channels.
pub(crate) fn run(
    command: ChannelsCommand,
    target: TargetOptions,
    json: bool,
    state: Result<StateDir, NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let mut place = Place::new(state, target, environment);
    match place.load() {
        Err(error) if place.target.url.is_none() => return Err(error),
        Err(error) => screen.warning(&error),
        Ok(()) => {}
    }
    match command {
        ChannelsCommand::List => list(&place.config.unwrap_or_default(), json, screen),
        ChannelsCommand::Status { probe } => {
            let purpose = ChannelsCommand::PURPOSE;
            let remote = place.gateway(purpose, screen)?;
            match remote.misses(purpose.needs) {
                Some(method) => Err(Failure::Lacks { method }),
                None => status(&remote, probe, json, screen),
            }
        }
        ChannelsCommand::Login { channel, account } => {
            login::run(&place, (channel, account), json, environment, screen)
        }
        ChannelsCommand::Logout { channel, account } => {
            logout::run(&place, (channel, account), json, environment, screen)
        }
    }
}

/// An account as the configuration describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configured<'c> {
    channel: &'c ChannelId,
    account_id: AccountId,
    dm_policy: &'static str,
    enabled: bool,
    /// The fault that closes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
}

fn list(config: &Config, json: bool, screen: &mut Screen<'_, '_>) -> Result<Exit, Failure> {
    let accounts: Vec<_> = config
        .channels()
        .flat_map(|channel| accounts(config, channel))
        .collect();
    if json {
        screen.json(&accounts)?;
    } else if accounts.is_empty() {
        screen.remark("No channel is configured.")?;
    } else {
        let cells = accounts.iter().map(|account| {
            let state = match (&account.closed, account.enabled) {
                (Some(fault), _) => format!("closed: {}", escape(fault).limit(200)),
                (None, true) => "on".to_owned(),
                (None, false) => "off".to_owned(),
            };
            [
                account.channel.to_string(),
                escape(account.account_id.as_str()).to_string(),
                account.dm_policy.to_owned(),
                state,
            ]
        });
        let rows = Rows {
            header: ["Channel", "Account", "Direct messages", "State"],
            cells: cells.collect(),
            breakable: &[1, 3],
        };
        screen.rows("channel", rows)?;
        screen.remark("Which of them are connected: `openclaw channels status`.")?;
    }
    Ok(Exit::Done)
}

fn accounts<'c>(config: &'c Config, channel: &'c ChannelId) -> Vec<Configured<'c>> {
    let mut accounts: Vec<_> = config.accounts(channel).cloned().collect();
    if accounts.is_empty() {
        accounts.push(AccountId::default());
    }
    let configured = |account_id: AccountId| {
        let account = config.account(channel, &account_id);
        Configured {
            channel,
            dm_policy: config.dm_policy(channel, &account_id).as_str(),
            enabled: account.is_enabled(),
            closed: account.closed_by().map(ToString::to_string),
            account_id,
        }
    };
    accounts.into_iter().map(configured).collect()
}

/// How long asking the chat systems may take, and the gateway's answer after that.
const PROBE_MS: u64 = 10_000;
const ANSWER: Duration = Duration::from_secs(15);

fn status(
    remote: &Remote,
    probe: bool,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let mut answer = ask(remote, probe)?;
    // Channels that the gateway knows, and nobody uses, are left out.
    let is_used = |channel: &ChannelStatus| {
        channel.configured || channel.accounts.iter().any(|account| account.running)
    };
    answer.channels.retain(is_used);
    if json {
        screen.json(&answer)?;
        return Ok(Exit::Done);
    }
    let now = remote.now();
    let all: Vec<_> = answer
        .channels
        .iter()
        .flat_map(|channel| {
            channel
                .accounts
                .iter()
                .map(|account| (&channel.channel, account))
        })
        .collect();
    if all.is_empty() {
        screen.remark("No channel is configured.")?;
        return Ok(Exit::Done);
    }
    let cells = all
        .iter()
        .map(|(channel, account)| row(channel, account, now));
    let header = [
        "Channel",
        "Account",
        "Connection",
        "Since",
        "Last message",
        "Last error",
    ];
    if probe {
        let asked = all
            .iter()
            .map(|(_, account)| probed(account.probe.as_ref()));
        let cells = cells.zip(asked).map(|(row, asked)| {
            let [channel, account, state, since, last, error] = row;
            [channel, account, state, asked, since, last, error]
        });
        let [channel, account, state, since, last, error] = header;
        let rows = Rows {
            header: [channel, account, state, "Asked now", since, last, error],
            cells: cells.collect(),
            breakable: &[1, 3, 6],
        };
        screen.rows("channel", rows)?;
    } else {
        let rows = Rows {
            header,
            cells: cells.collect(),
            breakable: &[1, 5],
        };
        screen.rows("channel", rows)?;
    }
    // Whoever asks wants to know whether it works.
    let is_refused =
        |account: &AccountStatus| account.probe.as_ref().is_some_and(|probe| !probe.ok);
    let any_refused = all.iter().any(|(_, account)| is_refused(account));
    Ok(if any_refused {
        Exit::Refused
    } else {
        Exit::Done
    })
}

/// The accounts, as a gateway of ours or of the other program tells them.
fn ask(remote: &Remote, probe: bool) -> Result<ChannelStatuses, Failure> {
    let params = StatusParams {
        probe,
        timeout_ms: probe.then_some(PROBE_MS),
        channel: None,
    };
    if remote.lacks(&["pairing.channels"]).is_none() {
        return remote.call_within("pairing.channels", &params, ANSWER);
    }
    let theirs: ChannelsStatus = remote.call_within("channels.status", &params, ANSWER)?;
    Ok(theirs.statuses())
}

/// What a chat system said when it was asked.
fn probed(probe: Option<&AccountProbe>) -> String {
    match probe {
        None => String::new(),
        Some(AccountProbe { ok: true, name, .. }) => match name {
            Some(name) => format!("accepted as {}", escape(name).limit(64)),
            None => "accepted".to_owned(),
        },
        Some(AccountProbe { error, .. }) => {
            let error = error.as_deref().unwrap_or("refused");
            escape(error).limit(200).to_string()
        }
    }
}

fn row(channel: &ChannelId, account: &AccountStatus, now: Timestamp) -> [String; 6] {
    let ago = |at: Option<i64>| {
        let at = at.map(Timestamp::from_millis);
        at.map_or_else(String::new, |at| text::ago(now, at))
    };
    let connection = account.connection.as_ref();
    let of = |part: fn(&AccountConnection) -> Option<i64>| ago(connection.and_then(part));
    let state = match connection.map(|connection| connection.state) {
        _ if !account.running => "does not run",
        Some(ConnectionState::Stopped) => "stopped",
        Some(ConnectionState::Connecting) => "connecting",
        Some(ConnectionState::Connected) => "connected",
        Some(ConnectionState::Failing) => "failing",
        None | Some(_) => "runs",
    };
    let error = connection.and_then(|connection| connection.last_error.as_deref());
    [
        channel.to_string(),
        escape(account.account_id.as_str()).to_string(),
        state.to_owned(),
        of(|connection| connection.since_ms),
        of(|connection| connection.last_received_ms),
        error.map_or_else(String::new, |error| escape(error).limit(200).to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bot_is_shown_with_its_connection() {
        let now = Timestamp::from_millis(600_000);
        let telegram = ChannelId::parse("telegram").unwrap();
        let shown = |running: bool, connection: serde_json::Value| {
            let account = json!({
                "accountId": "work", "dmPolicy": "pairing", "running": running,
                "connection": connection,
            });
            row(&telegram, &serde_json::from_value(account).unwrap(), now)
        };
        assert_eq!(
            shown(
                true,
                json!({
                    "state": "failing", "sinceMs": 540_000, "lastReceivedMs": 0,
                    "lastError": "refused\u{1b}[2J",
                })
            ),
            [
                "telegram",
                "work",
                "failing",
                "1 min ago",
                "10 min ago",
                "refused\\u{1b}[2J"
            ]
        );
        assert_eq!(
            shown(true, json!({ "state": "connected", "sinceMs": 600_000 })),
            ["telegram", "work", "connected", "just now", "", ""]
        );
        assert_eq!(
            shown(true, json!({ "state": "of a newer gateway" })),
            ["telegram", "work", "runs", "", "", ""]
        );
        assert_eq!(
            shown(false, json!(null)),
            ["telegram", "work", "does not run", "", "", ""]
        );
    }
}
