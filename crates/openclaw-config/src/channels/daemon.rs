//! The daemon that speaks for an account, as Signal's signal-cli does.

use std::sync::Arc;

use super::given::{counting, fault, or, value};
use crate::Fault;
use crate::read::{Given, Reader, Section};

/// The daemon that speaks for an account. `None` is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Daemon {
    /// The account at the daemon, such as a phone number.
    pub account: Option<String>,
    /// What kind of daemon it is, by the newer keys: `managed-native`, `external-native` or `container`.
    pub kind: Option<String>,
    /// Where it listens.
    pub url: Option<String>,
    /// The host on which it listens, if `url` is not set.
    pub host: Option<String>,
    /// Its port there.
    pub port: Option<u16>,
    /// The program that is started, if the gateway starts it.
    pub cli_path: Option<String>,
    /// The directory of its accounts and keys.
    pub config_path: Option<String>,
    /// Whether the gateway starts it.
    pub auto_start: Option<bool>,
}

/// What is written of it, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct WrittenDaemon {
    account: Given<String>,
    kind: Given<String>,
    url: Given<String>,
    host: Given<String>,
    port: Given<u16>,
    cli_path: Given<String>,
    config_path: Given<String>,
    auto_start: Given<bool>,
}

impl Default for WrittenDaemon {
    fn default() -> Self {
        Self {
            account: Ok(None),
            kind: Ok(None),
            url: Ok(None),
            host: Ok(None),
            port: Ok(None),
            cli_path: Ok(None),
            config_path: Ok(None),
            auto_start: Ok(None),
        }
    }
}

impl WrittenDaemon {
    /// Reads the keys of February's releases, and those below `transport`, which win.
    pub(super) fn read(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Self {
        let mut newer = at.child("transport", reader);
        let read = Self {
            account: at.text("account", reader),
            kind: newer.text("kind", reader),
            url: or(&newer.text("url", reader), &at.text("httpUrl", reader)),
            host: or(
                &newer.text("httpHost", reader),
                &at.text("httpHost", reader),
            ),
            port: or(
                &newer.port("httpPort", reader),
                &at.port("httpPort", reader),
            ),
            cli_path: or(&newer.text("cliPath", reader), &at.text("cliPath", reader)),
            config_path: or(
                &newer.text("configPath", reader),
                &at.text("configPath", reader),
            ),
            auto_start: at.flag("autoStart", reader),
        };
        newer.finish(reader);
        read
    }

    /// The first fault of what counts for an account. A wrong key may lead to another daemon than the one that was meant.
    pub(super) fn fault<'a>(own: &'a Self, all: &'a Self, shares: bool) -> Option<&'a Arc<Fault>> {
        let faults = [
            fault(&own.account),
            fault(&all.account).filter(|_| shares),
            counting(&own.kind, &all.kind),
            counting(&own.url, &all.url),
            counting(&own.host, &all.host),
            counting(&own.port, &all.port),
            counting(&own.cli_path, &all.cli_path),
            counting(&own.config_path, &all.config_path),
            counting(&own.auto_start, &all.auto_start),
        ];
        faults.into_iter().flatten().next()
    }

    /// An account's own settings over its channel's. The account at the daemon that stands beside the accounts is the
    /// default account's, which `shares` says.
    pub(super) fn merged(own: &Self, all: &Self, shares: bool) -> Daemon {
        Daemon {
            account: value(&own.account).or_else(|| value(&all.account).filter(|_| shares)),
            kind: or(&own.kind, &all.kind).unwrap_or(None),
            url: or(&own.url, &all.url).unwrap_or(None),
            host: or(&own.host, &all.host).unwrap_or(None),
            port: or(&own.port, &all.port).unwrap_or(None),
            cli_path: or(&own.cli_path, &all.cli_path).unwrap_or(None),
            config_path: or(&own.config_path, &all.config_path).unwrap_or(None),
            auto_start: or(&own.auto_start, &all.auto_start).unwrap_or(None),
        }
    }
}
