//! Pending requests as chats show and name them.

use std::fmt::{self, Write as _};

use pairing_core::device::{DeviceRequest, RequestId, TokenHash};
use pairing_core::store::PendingRequest;
use pairing_core::{Approver, ApproverId, ScopeSet, StoreError, Timestamp, escape, quoted};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Commands;
use crate::words;
use pairing_core::Chain;

/// A device or a sender whose request is pending.
#[derive(Debug, Clone)]
pub(super) enum PendingSubject {
    Device(Box<DeviceRequest>),
    Sender(Box<PendingRequest>),
}

/// Identifies one request or one setup code, in few characters and without a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) enum RequestRef {
    Device(RequestId),
    /// The first half of a hash over channel, account, sender and code.
    Sender(String),
    Code(TokenHash),
}

impl PendingSubject {
    pub(super) fn about(&self) -> RequestRef {
        match self {
            Self::Device(request) => RequestRef::Device(request.id.clone()),
            Self::Sender(request) => {
                let mut hash = Sha256::new();
                for part in [
                    request.channel.as_str(),
                    request.account.as_str(),
                    request.sender.as_str(),
                    request.code.as_str(),
                ] {
                    hash.update(part);
                    hash.update([0]);
                }
                let whole = hash.finalize();
                let mut half = String::with_capacity(32);
                for byte in whole.iter().take(16) {
                    let _ = write!(half, "{byte:02x}");
                }
                RequestRef::Sender(half)
            }
        }
    }

    /// `device d463eb1278d9 (Desk, linux)`, `telegram sender 12345 (username=ann)`.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Device(request) => {
                let id = request.device.to_string();
                let id = id.get(..12).unwrap_or(&id);
                let name = request.info.display_name.as_deref();
                let name = name.map(|name| quoted(name).to_string());
                let platform = Some(words::platform(&request.info)).filter(|text| !text.is_empty());
                let said: Vec<_> = name.into_iter().chain(platform).collect();
                if said.is_empty() {
                    format!("device {id}")
                } else {
                    format!("device {id} ({})", said.join(", "))
                }
            }
            Self::Sender(request) => {
                let mut title = format!(
                    "{} sender {}",
                    request.channel,
                    quoted(request.sender.as_str())
                );
                if !request.account.is_default() {
                    title = format!("{title} of account {}", quoted(request.account.as_str()));
                }
                match words::meta(&request.meta) {
                    none if none.is_empty() => title,
                    meta => format!("{title} ({meta})"),
                }
            }
        }
    }

    /// Lists what an approval grants, one line each.
    pub(super) fn rights(&self) -> String {
        match self {
            Self::Device(request) => {
                let rights = words::rights(&request.ask, None);
                let rights: Vec<_> = rights.iter().map(|right| format!("  {right}")).collect();
                rights.join("\n")
            }
            Self::Sender(_) => "  talk to the bot directly".to_owned(),
        }
    }

    /// The decision in words, with the approver where known.
    pub(super) fn decided(&self, approved: bool, by: Option<&ApproverId>) -> String {
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        if approved {
            format!(
                "Approved{by}: {}, which may now\n{}",
                self.title(),
                self.rights()
            )
        } else {
            format!("Rejected{by}: {}.", self.title())
        }
    }

    /// The id for a command.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Device(request) => escape(request.id.as_str()).to_string(),
            Self::Sender(request) => request.code.as_str().to_owned(),
        }
    }

    pub(super) fn asked_at(&self) -> Option<Timestamp> {
        match self {
            Self::Device(request) => Some(request.asked_at),
            Self::Sender(request) => request.created_at,
        }
    }

    /// Describes where the request came from, one line each.
    pub(super) fn source(&self) -> Vec<String> {
        let Self::Device(request) = self else {
            return Vec::new();
        };
        let ip = request.info.remote_ip.as_deref();
        let ip = ip.map(|ip| format!("It comes from {}.", quoted(ip)));
        let origin = request.origin.as_deref();
        let origin = origin.map(|origin| format!("It is a web page of {}.", quoted(origin)));
        let code = match request.pairing_token {
            Some(_) => "It came with a setup code.",
            None => "It came without a setup code.",
        };
        let known = request
            .is_repair
            .then(|| "This device is known.".to_owned());
        ip.into_iter()
            .chain(origin)
            .chain([code.to_owned()])
            .chain(known)
            .collect()
    }
}

impl Commands {
    /// Reads all pending requests, newest first, and whether something could not be read. Uses the store.
    pub(super) fn waiting(&self) -> (Vec<PendingSubject>, Option<StoreError>) {
        let pairing = self.pairing();
        let viewer = Approver::operator("gateway", ScopeSet::admin());
        let mut failed = None;
        let mut all: Vec<PendingSubject> = Vec::new();
        match pairing.devices().list(&viewer) {
            Ok(list) => all.extend(
                list.pending
                    .into_iter()
                    .map(|r| PendingSubject::Device(Box::new(r))),
            ),
            Err(error) => failed = Some(error.0),
        }
        for rules in pairing.channels().iter() {
            let Ok(channel) = pairing.channel_of(rules.id()) else {
                continue;
            };
            // A channel that cannot be read does not hide the others.
            match channel.pending() {
                Ok(pending) => {
                    all.extend(
                        pending
                            .requests
                            .into_iter()
                            .map(|r| PendingSubject::Sender(Box::new(r))),
                    );
                }
                Err(error) => failed = Some(error.0),
            }
        }
        if let Some(error) = &failed {
            tracing::error!(error = %Chain(error), "some pending requests cannot be read");
        }
        all.sort_by_key(|asking| std::cmp::Reverse(asking.asked_at()));
        (all, failed)
    }
}

impl fmt::Display for RequestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device:{}", id.as_str()),
            Self::Sender(hash) => write!(f, "sender:{hash}"),
            Self::Code(hash) => write!(f, "code:{hash}"),
        }
    }
}

impl From<RequestRef> for String {
    fn from(about: RequestRef) -> Self {
        about.to_string()
    }
}

/// The text identifies nothing.
#[derive(Debug, thiserror::Error)]
#[error("this is about no request and no setup code")]
pub(super) struct ParseAboutError;

impl TryFrom<String> for RequestRef {
    type Error = ParseAboutError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (kind, id) = text.split_once(':').ok_or(ParseAboutError)?;
        match kind {
            "device" => RequestId::parse(id)
                .map(Self::Device)
                .map_err(|_| ParseAboutError),
            "code" => TokenHash::parse(id)
                .map(Self::Code)
                .map_err(|_| ParseAboutError),
            "sender" if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Self::Sender(id.to_owned()))
            }
            _ => Err(ParseAboutError),
        }
    }
}
