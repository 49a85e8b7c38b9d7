//! Keys out of their texts: what [`Key::path`] writes.

use pairing_core::device::NodeId;
use pairing_core::store::Key;
use pairing_core::{AccountId, ApproverId, ChannelId, DeviceId, PairingCode, SenderId, TokenHash};

/// Returns the key with this path; `None` if no key has it.
pub(crate) fn key(path: &str) -> Option<Key> {
    let mut parts = path.split('/');
    let kind = parts.next()?;
    let mut next = || parts.next().and_then(decoded);
    let key = match kind {
        "request" => Key::Request {
            channel: ChannelId::parse(&next()?).ok()?,
            account: AccountId::parse(&next()?).ok()?,
            sender: SenderId::try_from(next()?).ok()?,
        },
        "code" => Key::Code {
            channel: ChannelId::parse(&next()?).ok()?,
            code: PairingCode::parse(&next()?).ok()?,
        },
        "allow" => Key::Allow {
            channel: ChannelId::parse(&next()?).ok()?,
            account: AccountId::parse(&next()?).ok()?,
            entry: SenderId::try_from(next()?).ok()?,
        },
        "attempts" => Key::Attempts {
            channel: ChannelId::parse(&next()?).ok()?,
            approver: ApproverId::from(next()?),
        },
        "turned-away" => Key::TurnedAway {
            channel: ChannelId::parse(&next()?).ok()?,
            account: AccountId::parse(&next()?).ok()?,
        },
        "claim" => Key::Claim {
            channel: ChannelId::parse(&next()?).ok()?,
            hash: TokenHash::parse(&next()?).ok()?,
        },
        "device-request" => Key::DeviceRequest {
            device: DeviceId::parse(&next()?).ok()?,
        },
        "device" => Key::Device {
            device: DeviceId::parse(&next()?).ok()?,
        },
        "pairing-token" => Key::PairingToken {
            hash: TokenHash::parse(&next()?).ok()?,
        },
        "bearer-client" => Key::BearerClient {
            hash: TokenHash::parse(&next()?).ok()?,
        },
        "node-request" => Key::NodeRequest {
            node: NodeId::parse(&next()?).ok()?,
        },
        "node" => Key::Node {
            node: NodeId::parse(&next()?).ok()?,
        },
        _ => return None,
    };
    // A path that another key has, or none, would tell followers of the wrong record.
    (key.path() == path).then_some(key)
}

/// Returns a part with its `%XX` replaced by the bytes that they stand for.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = after.get(..2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_no_key() {
        for path in [
            "",
            "allow",
            "allow/telegram/work",
            "allow/telegram/work/1/2",
            "allow/telegram/work/%2",
            "allow/telegram/work/%61",
            "allow/telegram/WORK/1",
            "device/xyz",
            "other/1",
        ] {
            assert_eq!(key(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_path_leads_back_to_its_key(account in "[a-zä%:]{1,8}", entry in "[a-z/%ü]{1,12}") {
            let channel = || ChannelId::parse("discord").unwrap();
            let account = AccountId::parse(&account).unwrap();
            let entry = SenderId::try_from(entry).unwrap();
            let approver = ApproverId::from(format!("{entry}\n/%"));
            for expected in [
                Key::Allow { channel: channel(), account: account.clone(), entry: entry.clone() },
                Key::Request { channel: channel(), account: account.clone(), sender: entry },
                Key::TurnedAway { channel: channel(), account },
                Key::Attempts { channel: channel(), approver },
                Key::Claim { channel: channel(), hash: TokenHash::UNKNOWN },
                Key::Code { channel: channel(), code: PairingCode::from_entropy([3; 8]) },
                Key::PairingToken { hash: TokenHash::UNKNOWN },
                Key::BearerClient { hash: TokenHash::UNKNOWN },
                Key::Node { node: NodeId::parse("a/b %").unwrap() },
            ] {
                prop_assert_eq!(key(&expected.path()), Some(expected));
            }
        }
    }
}
