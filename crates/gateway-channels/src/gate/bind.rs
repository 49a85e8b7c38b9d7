//! Strangers who present a claim code: `/bind CODE`, or `/start CODE`, which a link of Telegram sends.

use channel_kit::Outgoing;
use pairing_core::{Chain, ClaimCode, ClaimError, Claimed, DmPolicy, Replies};

use super::rules::Rules;
use super::{Gate, blocking};
use crate::sift::Letter;

/// Returns the code that a message presents.
pub(super) fn presented(text: &str) -> Option<ClaimCode> {
    let text = text.trim();
    let (command, rest) = text.split_once(char::is_whitespace)?;
    // In some chats, a command names the bot: `/bind@my_bot`.
    let command = command.split_once('@').map_or(command, |(name, _)| name);
    let is_meant = ["/bind", "/start"]
        .iter()
        .any(|name| command.eq_ignore_ascii_case(name));
    is_meant.then(|| ClaimCode::parse(rest).ok()).flatten()
}

impl Gate {
    /// Decides about a code that a sender presents in a direct message, in a word. `None` if the sender was
    /// allowed already, or nobody is let in by codes: it is a message like any other.
    pub(super) async fn bind(
        &self,
        rules: &Rules,
        letter: &Letter,
        code: ClaimCode,
    ) -> Option<&'static str> {
        if rules.policy != DmPolicy::Pairing {
            return None;
        }
        let (account, sender) = (rules.account.clone(), letter.sender.clone());
        let meta = letter.meta.clone();
        let claim = move || account.claim_code(&sender, Some(&meta), &code);
        let claimed = blocking(claim).await?;
        let language = Replies::language_of(&letter.meta);
        let replies = self.host.pairing().replies();
        let (text, outcome) = match claimed {
            Ok(Claimed::Admitted(by)) => {
                self.pauses.forget(by.sender());
                (replies.approved(language), "bound")
            }
            Ok(_) => return None,
            Err(ClaimError::Store(error)) => {
                tracing::error!(
                    channel = %self.channel.id(), error = %Chain(&error),
                    "claim code not checked: the pairing store failed"
                );
                return Some("failed");
            }
            // Whoever is locked out is not answered.
            Err(ClaimError::LockedOut { .. }) => return Some("locked-out"),
            Err(_) => (replies.wrong_code(language), "wrong-code"),
        };
        if let Err(error) = self.adapter.send(&letter.chat, &Outgoing::text(text)).await {
            tracing::warn!(
                channel = %self.channel.id(), account = self.account.id().as_str(),
                error = %Chain(&error), "answer to a claim code not delivered"
            );
        }
        Some(outcome)
    }
}
