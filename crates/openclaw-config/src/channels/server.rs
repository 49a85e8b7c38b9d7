//! The server that speaks for an account, as iMessage's BlueBubbles does.

use std::sync::Arc;

use super::given::{counting, fault, or, value};
use crate::read::{Given, Reader, Section};
use crate::{Fault, Secret};

/// The server that speaks for an account, and the webhook by which it delivers messages. `None` is not set.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Server {
    /// Where it answers.
    pub url: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The path of the webhook at the gateway.
    pub webhook_path: Option<String>,
    /// The URL of the webhook as the server reaches it, to register it there.
    pub webhook_url: Option<String>,
}

/// What is written of it, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct WrittenServer {
    url: Given<String>,
    password: Given<Secret>,
    webhook_path: Given<String>,
    webhook_url: Given<String>,
}

impl Default for WrittenServer {
    fn default() -> Self {
        Self {
            url: Ok(None),
            password: Ok(None),
            webhook_path: Ok(None),
            webhook_url: Ok(None),
        }
    }
}

impl WrittenServer {
    pub(super) fn read(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            url: at.text("serverUrl", reader),
            password: at.secret("password", reader),
            webhook_path: at.text("webhookPath", reader),
            webhook_url: at.text("registerWebhookUrl", reader),
        }
    }

    /// The first fault of what counts for an account.
    pub(super) fn fault<'a>(own: &'a Self, all: &'a Self, shares: bool) -> Option<&'a Arc<Fault>> {
        let faults = [
            fault(&own.url),
            fault(&all.url).filter(|_| shares),
            fault(&own.password),
            fault(&all.password).filter(|_| shares),
            counting(&own.webhook_path, &all.webhook_path),
            counting(&own.webhook_url, &all.webhook_url),
        ];
        faults.into_iter().flatten().next()
    }

    /// An account's own settings over its channel's. The server that stands beside the accounts is the default
    /// account's, which `shares` says; two accounts at one server would hear everything twice.
    pub(super) fn merged(own: &Self, all: &Self, shares: bool) -> Server {
        Server {
            url: value(&own.url).or_else(|| value(&all.url).filter(|_| shares)),
            password: value(&own.password).or_else(|| value(&all.password).filter(|_| shares)),
            webhook_path: or(&own.webhook_path, &all.webhook_path).unwrap_or(None),
            webhook_url: or(&own.webhook_url, &all.webhook_url).unwrap_or(None),
        }
    }
}
