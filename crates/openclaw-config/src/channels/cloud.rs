//! The cloud that speaks for an account, as Meta's does for a WhatsApp number.

use std::sync::Arc;

use super::given::{counting, fault, or, value};
use crate::read::{Given, Reader, Section};
use crate::{Fault, Secret};

/// The number at the cloud, its secrets, and the webhook by which messages are delivered. `None` is not set.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Cloud {
    /// The cloud's id of the number.
    pub phone_number_id: Option<String>,
    /// The token with which requests are made.
    pub access_token: Option<Secret>,
    /// The secret of the app, by which webhooks are signed.
    pub app_secret: Option<Secret>,
    /// The text that is shown when the webhook is set up.
    pub verify_token: Option<Secret>,
    /// The path of the webhook at the gateway.
    pub webhook_path: Option<String>,
    /// Where the cloud answers, if not at its usual address.
    pub api_root: Option<String>,
}

/// What is written of it below `cloud`, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct WrittenCloud {
    phone_number_id: Given<String>,
    access_token: Given<Secret>,
    app_secret: Given<Secret>,
    verify_token: Given<Secret>,
    webhook_path: Given<String>,
    api_root: Given<String>,
}

impl Default for WrittenCloud {
    fn default() -> Self {
        Self {
            phone_number_id: Ok(None),
            access_token: Ok(None),
            app_secret: Ok(None),
            verify_token: Ok(None),
            webhook_path: Ok(None),
            api_root: Ok(None),
        }
    }
}

impl WrittenCloud {
    pub(super) fn read(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Self {
        let mut cloud = at.child("cloud", reader);
        let read = Self {
            phone_number_id: cloud.text("phoneNumberId", reader),
            access_token: cloud.secret("accessToken", reader),
            app_secret: cloud.secret("appSecret", reader),
            verify_token: cloud.secret("verifyToken", reader),
            webhook_path: cloud.text("webhookPath", reader),
            api_root: cloud.text("apiRoot", reader),
        };
        cloud.finish(reader);
        read
    }

    /// The first fault of what counts for an account.
    pub(super) fn fault<'a>(own: &'a Self, all: &'a Self, shares: bool) -> Option<&'a Arc<Fault>> {
        let faults = [
            fault(&own.phone_number_id),
            fault(&all.phone_number_id).filter(|_| shares),
            counting(&own.access_token, &all.access_token),
            counting(&own.app_secret, &all.app_secret),
            counting(&own.verify_token, &all.verify_token),
            counting(&own.webhook_path, &all.webhook_path),
            counting(&own.api_root, &all.api_root),
        ];
        faults.into_iter().flatten().next()
    }

    /// An account's own settings over its channel's. The number that stands beside the accounts is the default account's,
    /// which `shares` says; an app may have several numbers, so its secrets are everybody's.
    pub(super) fn merged(own: &Self, all: &Self, shares: bool) -> Cloud {
        let number = value(&own.phone_number_id);
        Cloud {
            phone_number_id: number.or_else(|| value(&all.phone_number_id).filter(|_| shares)),
            access_token: or(&own.access_token, &all.access_token).unwrap_or(None),
            app_secret: or(&own.app_secret, &all.app_secret).unwrap_or(None),
            verify_token: or(&own.verify_token, &all.verify_token).unwrap_or(None),
            webhook_path: or(&own.webhook_path, &all.webhook_path).unwrap_or(None),
            api_root: or(&own.api_root, &all.api_root).unwrap_or(None),
        }
    }
}
