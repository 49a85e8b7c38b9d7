//! `/pair status` and `/pair cleanup`.

use pairing_core::escape;

use super::asking::PendingSubject;
use super::{Commands, STORE_FAILED, approver, chat_key, store_failed};
use crate::words;
use gateway_channels::OwnerMessage;

impl Commands {
    pub(super) async fn status(&self, owner: &OwnerMessage) -> String {
        let reach = match self.reach() {
            Ok(reach) => {
                let url = escape(reach.url.as_str()).limit(500).to_string();
                format!("Phones find the gateway at {url} ({}).", reach.source)
            }
            Err(error) => format!("No setup codes: {error}. To do: {}.", error.advice()),
        };
        let chat = chat_key(owner);
        let counted = self.at_store(move |commands| {
            let devices = commands.pairing().devices();
            let viewer =
                pairing_core::Approver::operator("gateway", pairing_core::ScopeSet::admin());
            let (tokens, paired) = match (devices.pairing_tokens(), devices.paired(&viewer)) {
                (Ok(tokens), Ok(list)) => (tokens, list.paired.len()),
                (Err(error), _) | (_, Err(error)) => return store_failed(&error.0),
            };
            let now = commands.pairing().now();
            let own = tokens
                .iter()
                .filter(|token| token.chat.as_ref() == Some(&chat));
            let unused: Vec<_> = own.filter(|token| token.device.is_none()).collect();
            let last = unused.iter().map(|token| token.expires_at).max();
            let last =
                last.map_or_else(String::new, |at| format!(", for {}", words::left(now, at)));
            let (waiting, failed) = commands.waiting();
            let (asking, senders): (Vec<_>, Vec<_>) = waiting
                .iter()
                .partition(|asking| matches!(asking, PendingSubject::Device(_)));
            let failed = failed.map_or("", |_| " Not everything could be read.");
            format!(
                "Unused setup codes of this chat: {}{last}.\n\
                 Waiting: {} and {}.{failed}\n\
                 Paired: {}.",
                unused.len(),
                words::count(asking.len() as u64, "device"),
                words::count(senders.len() as u64, "sender"),
                words::count(paired as u64, "device"),
            )
        });
        let counted = counted.await.unwrap_or_else(|| STORE_FAILED.to_owned());
        format!("{reach}\n{counted}\n{}", self.notices_here(owner).await)
    }

    /// Ends unused codes of this chat, and deletes messages with expired ones.
    pub(super) async fn clean_up(&self, owner: &OwnerMessage) -> String {
        let (chat, approver) = (chat_key(owner), approver(owner));
        let cleaned = self.at_store(move |commands| {
            let devices = commands.pairing().devices();
            let clean = || {
                let mut ended = 0_u64;
                for token in devices.pairing_tokens()? {
                    if token.chat.as_ref() == Some(&chat) && token.device.is_none() {
                        ended += u64::from(devices.end_pairing_token(token.hash, &approver)?);
                    }
                }
                Ok::<_, pairing_core::DeviceError>((ended, devices.clean_up()?))
            };
            match clean() {
                Ok((ended, expired)) => format!(
                    "Ended: {} of this chat. Codes and requests removed that had expired: {}.",
                    words::count(ended, "unused setup code"),
                    expired,
                ),
                Err(pairing_core::DeviceError::Store(error)) => store_failed(&error),
                Err(error) => format!("That did not work: {error}."),
            }
        });
        let said = cleaned.await.unwrap_or_else(|| STORE_FAILED.to_owned());
        self.delete_codes().await;
        said
    }
}
