//! File names, and the channels and accounts they belong to.

use std::fmt::Write as _;

use pairing_core::{AccountId, ChannelId};

pub(crate) const PAIRING_SUFFIX: &str = "-pairing.json";
pub(crate) const ALLOW_SUFFIX: &str = "-allowFrom.json";
/// Name of the file of bearer clients, in the folder of devices.
pub(crate) const BEARER_CLIENTS: &str = "bearer-clients.json";

/// Subdirectory beside those files that only this store uses.
pub(crate) const META_DIR: &str = "pairing-meta";

pub(crate) fn pairing_file(channel: &ChannelId) -> String {
    format!("{channel}{PAIRING_SUFFIX}")
}

pub(crate) fn grants_file(channel: &ChannelId) -> String {
    format!("{channel}.json")
}

pub(crate) fn counters_file(channel: &ChannelId) -> String {
    format!("{channel}.counters.json")
}

pub(crate) fn claims_file(channel: &ChannelId) -> String {
    format!("{channel}.claims.json")
}

pub(crate) fn lock_file(channel: &ChannelId) -> String {
    format!(".{channel}.oslock")
}

/// Returns the name of an allowlist file without its suffix; `None` means the channel's unscoped allowlist.
pub(crate) fn allow_stem(channel: &ChannelId, account: Option<&AccountId>) -> String {
    let mut stem = channel.to_string();
    if let Some(account) = account {
        // Writing to a `String` cannot fail.
        let _ = write!(stem, "-{}", sanitised(account));
    }
    stem
}

/// Returns the stems of the files an account reads, starting with the one it writes.
pub(crate) fn allow_stems(channel: &ChannelId, account: &AccountId) -> Vec<String> {
    let scoped = allow_stem(channel, Some(account));
    if account.is_default() {
        vec![allow_stem(channel, None), scoped]
    } else {
        vec![scoped]
    }
}

/// Returns the account as OpenClaw spells it in a file name. An [`AccountId`] contains no slash and no `..`.
fn sanitised(account: &AccountId) -> String {
    account
        .as_str()
        .replace([':', '*', '?', '"', '<', '>', '|'], "_")
}

/// Whether this name could also be the file name of another channel or account.
///
/// `a-b` + `c` and `a` + `b-c` share one name, and so do the accounts `x:y` and `x_y`.
pub(crate) fn is_contested<'c>(
    stem: &str,
    channel: &ChannelId,
    account: &AccountId,
    known: impl IntoIterator<Item = &'c ChannelId>,
) -> bool {
    sanitised(account).contains('_')
        || known.into_iter().any(|other| {
            other != channel
                && stem
                    .strip_prefix(other.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_real_installs() {
        let telegram = ChannelId::parse("telegram").unwrap();
        let work = AccountId::parse(" Work ").unwrap();
        assert_eq!(pairing_file(&telegram), "telegram-pairing.json");
        assert_eq!(allow_stems(&telegram, &work), ["telegram-work"]);
        assert_eq!(
            allow_stems(&telegram, &AccountId::default()),
            ["telegram", "telegram-default"]
        );
        let odd = AccountId::parse("a:b*c").unwrap();
        assert_eq!(allow_stem(&telegram, Some(&odd)), "telegram-a_b_c");
    }

    #[test]
    fn contested_names() {
        let (short, long) = (
            ChannelId::parse("a").unwrap(),
            ChannelId::parse("a-b").unwrap(),
        );
        let account = |name| AccountId::parse(name).unwrap();
        let contested = |channel: &ChannelId, name| {
            let stem = allow_stem(channel, Some(&account(name)));
            is_contested(&stem, channel, &account(name), [&short, &long])
        };
        assert!(contested(&short, "b-c"));
        assert!(contested(&short, "b"));
        assert!(contested(&long, "c"));
        assert!(!contested(&short, "c"));
        assert!(contested(&short, "x:y"));
        assert!(contested(&short, "x_y"));
    }
}
