//! Stores large amounts of data at once.

use std::collections::BTreeMap;

use pairing_core::device::{ApprovedRole, Device, DeviceInfo, DeviceToken, Identity, Role};
use pairing_core::store::{AllowEntry, Batch, Change, Grant};
use pairing_core::{
    AccountId, Approver, ChannelId, Channels, Clock as _, PairingStore as _, Record, Scope,
    ScopeSet, SecretToken, Timestamp, TokenHash, Via,
};
use pairing_fs::{StateDir, SystemEntropy};

use crate::Failure;
use crate::clock::MovedClock;
use crate::command::Seed;

const MINUTE_MS: i64 = 60_000;

/// Stores senders numbered from `700000000` and devices named from `Device 1`. Each is dated one minute
/// before its predecessor.
pub(crate) fn seed(state: &StateDir, clock: &MovedClock, wanted: &Seed) -> Result<(), Failure> {
    let store = openclaw_gateway::store::files(state).store;
    let now = clock.now();
    let senders: Vec<_> = senders(wanted, now)?;
    let devices: Result<Vec<_>, Failure> = (1..=wanted.devices).map(|n| device(n, now)).collect();
    for records in [senders, devices?] {
        if records.is_empty() {
            continue;
        }
        store.commit(&Batch {
            conditions: Vec::new(),
            changes: records.into_iter().map(Change::Put).collect(),
        })?;
    }
    Ok(())
}

fn senders(wanted: &Seed, now: Timestamp) -> Result<Vec<Record>, Failure> {
    let channel = ChannelId::parse(&wanted.channel)?;
    let account = AccountId::parse(&wanted.account)?;
    let channels = Channels::builtin();
    let rules = channels
        .get(&channel)
        .ok_or("no channel that is built in")?;
    let records = (0..wanted.senders).map(|n| {
        Ok(Record::Allow(AllowEntry {
            channel: channel.clone(),
            account: account.clone(),
            entry: rules.sender(&(700_000_000 + u64::from(n)).to_string())?,
            written: None,
            grant: Some(grant(n, now)),
        }))
    });
    records.collect()
}

fn device(n: u32, now: Timestamp) -> Result<Record, Failure> {
    let identity = Identity::generate(&SystemEntropy)?;
    let at = before(n, now);
    let scopes = ["operator.read", "operator.write"].map(Scope::parse);
    let scopes: ScopeSet = scopes.into_iter().collect::<Result<_, _>>()?;
    let operator = ApprovedRole {
        scopes: scopes.clone(),
        commands: None,
        approved_at: at,
        grant: Some(grant(n, now)),
        token: Some(DeviceToken {
            hash: Some(TokenHash::of(&SecretToken::generate(&SystemEntropy)?)),
            scopes,
            created_at: at,
            rotated_at: None,
            revoked_at: None,
            last_used_at: Some(at),
            next_scopes: None,
            approved_scopes: None,
        }),
    };
    Ok(Record::from(Device {
        id: identity.id(),
        key: identity.key(),
        info: DeviceInfo {
            display_name: Some(format!("Device {n}")),
            platform: Some("linux".to_owned()),
            ..DeviceInfo::default()
        },
        roles: BTreeMap::from([(Role::Operator, operator)]),
        created_at: at,
        approved_at: at,
        label: None,
        surface: None,
        signs_v3: true,
        pairing_token: None,
    }))
}

fn grant(n: u32, now: Timestamp) -> Grant {
    let by = Approver::terminal("owner").id().clone();
    Grant::new(by, Via::Terminal, before(n, now))
}

fn before(n: u32, now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - i64::from(n) * MINUTE_MS)
}
