//! How Messages, the program of a Mac, is reached and told to send.

use std::sync::Arc;

use super::given::{counting, or};
use crate::Fault;
use crate::read::{Given, Reader, Section};

/// How Messages is reached. `None` is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Messages {
    /// The database of Messages, if not at its usual place.
    pub db_path: Option<String>,
    /// The Mac, as ssh names it.
    pub remote_host: Option<String>,
    /// The service by which messages are sent: `auto`, `imessage` or `sms`.
    pub service: Option<String>,
    /// The country of numbers that have none, such as `US`.
    pub region: Option<String>,
}

/// What is written of it, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct WrittenMessages {
    db_path: Given<String>,
    remote_host: Given<String>,
    service: Given<String>,
    region: Given<String>,
}

impl Default for WrittenMessages {
    fn default() -> Self {
        Self {
            db_path: Ok(None),
            remote_host: Ok(None),
            service: Ok(None),
            region: Ok(None),
        }
    }
}

impl WrittenMessages {
    pub(super) fn read(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            db_path: at.text("dbPath", reader),
            remote_host: at.text("remoteHost", reader),
            service: at.text("service", reader),
            region: at.text("region", reader),
        }
    }

    /// The first fault of what counts for an account. A wrong key may lead to another person's Messages.
    pub(super) fn fault<'a>(own: &'a Self, all: &'a Self) -> Option<&'a Arc<Fault>> {
        let faults = [
            counting(&own.db_path, &all.db_path),
            counting(&own.remote_host, &all.remote_host),
            counting(&own.service, &all.service),
            counting(&own.region, &all.region),
        ];
        faults.into_iter().flatten().next()
    }

    /// An account's own settings over its channel's.
    pub(super) fn merged(own: &Self, all: &Self) -> Messages {
        Messages {
            db_path: or(&own.db_path, &all.db_path).unwrap_or(None),
            remote_host: or(&own.remote_host, &all.remote_host).unwrap_or(None),
            service: or(&own.service, &all.service).unwrap_or(None),
            region: or(&own.region, &all.region).unwrap_or(None),
        }
    }
}
