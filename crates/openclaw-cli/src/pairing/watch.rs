//! Pending requests of senders.

use gateway_protocol::dm::DmRequest;
use pairing_core::{Limits, Timestamp, quoted};
use serde_json::json;

use super::Call;
use crate::Failure;
use crate::backend::Waiting;
use crate::console::Screen;
use crate::watch::{Item, Watched};

pub(crate) struct Senders<'c>(pub(crate) &'c Call);

impl Watched<7> for Senders<'_> {
    type Subject = Waiting;

    const TITLE: &'static str = "Senders that wait";
    const NOBODY: &'static str = "No sender waits.";
    const HEADER: [&'static str; 7] = [
        "Code",
        "Channel",
        "Sender",
        "Account",
        "Meta",
        "Requested",
        "Expires in",
    ];
    const BREAKABLE: &'static [usize] = &[2, 3, 4];

    fn waiting(&self, screen: &mut Screen<'_, '_>) -> Result<Vec<Item<Waiting, 7>>, Failure> {
        let mut items = Vec::new();
        for channel in self.0.backend.waiting(None, None)? {
            match channel {
                Ok(channel) => {
                    screen.problems(&channel.problems);
                    items.extend(
                        channel
                            .requests
                            .into_iter()
                            .filter_map(|waiting| self.item(waiting)),
                    );
                }
                // A channel that cannot be read does not hide the others.
                Err(failure) => screen.warning(&failure),
            }
        }
        Ok(items)
    }

    fn decide(&self, waiting: &Waiting, approve: bool) -> Result<String, Failure> {
        let request = &waiting.request;
        let (channel, account) = (&request.channel, Some(&request.account));
        let did = if approve {
            self.0
                .backend
                .approve_sender(channel, account, request.handle.as_str(), false)?;
            "Approved"
        } else {
            let subject = request.handle.as_str();
            self.0.backend.reject_sender(channel, account, subject)?;
            "Rejected"
        };
        Ok(format!(
            "{did} {channel}: {}",
            quoted(request.sender.as_str())
        ))
    }
}

impl Senders<'_> {
    /// `None` without a code, which every request has where requests can be watched.
    fn item(&self, waiting: Waiting) -> Option<Item<Waiting, 7>> {
        let [code, sender, account, meta, requested, expires] = self.0.row(&waiting);
        let request = &waiting.request;
        let mut json = json!(DmRequest::new(&request.pending()?, &Limits::default()));
        json["expiresAtMs"] = json!(waiting.expires_at.map(Timestamp::as_millis));
        Some(Item {
            id: format!(
                "{}/{}/{}/{}",
                request.channel,
                request.account,
                request.sender.as_str(),
                request.handle.as_str()
            ),
            cells: [
                code,
                request.channel.to_string(),
                sender,
                account,
                meta,
                requested,
                expires,
            ],
            rights: vec!["talk to the bot in direct messages".to_owned()],
            json,
            subject: waiting,
        })
    }
}
