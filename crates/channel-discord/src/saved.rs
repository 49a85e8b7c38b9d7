//! The session with the gateway, saved across restarts: what was sent while the bot was away is then received.

use channel_kit::{SaveError, SavedText};
use serde::{Deserialize, Serialize};

use crate::event::Ready;
use crate::id::Id;

/// A session that can be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// What the gateway said of it.
    pub(crate) ready: Ready,
    /// The number of the last event that was received.
    pub(crate) seq: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    /// Tells whether it is this bot's, at this server; holds nothing of the token.
    bot: String,
    session_id: String,
    resume_gateway_url: String,
    sequence: u64,
    user_id: String,
    application_id: String,
}

impl Session {
    /// The saved session; `None` if there is none, if it is another bot's, or if it cannot be read.
    pub(crate) fn load(saved: &dyn SavedText, bot: &str) -> Option<Self> {
        let file: File = serde_json::from_str(&saved.load()?).ok()?;
        if file.version != 1 || file.bot != bot {
            return None;
        }
        Some(Self {
            ready: Ready {
                session: file.session_id,
                resume_at: file.resume_gateway_url,
                me: Id::parse(&file.user_id)?,
                application: Id::parse(&file.application_id)?,
            },
            seq: file.sequence,
        })
    }

    /// Saves it for the next start. Blocks until it is durable.
    pub(crate) fn save(&self, saved: &dyn SavedText, bot: &str) -> Result<(), SaveError> {
        let file = File {
            version: 1,
            bot: bot.to_owned(),
            session_id: self.ready.session.clone(),
            resume_gateway_url: self.ready.resume_at.clone(),
            sequence: self.seq,
            user_id: self.ready.me.to_string(),
            application_id: self.ready.application.to_string(),
        };
        // Numbers and strings always serialise.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        saved.save(&text)
    }
}

#[cfg(test)]
mod tests {
    use channel_kit::InMemory;

    use super::*;

    #[test]
    fn a_session_is_there_after_a_restart_for_the_same_bot() {
        let session = Session {
            ready: Ready {
                session: "abc".to_owned(),
                resume_at: "wss://gateway.example".to_owned(),
                me: Id::parse("1").unwrap(),
                application: Id::parse("2").unwrap(),
            },
            seq: u64::MAX,
        };
        let saved = InMemory::default();
        assert_eq!(Session::load(&saved, "a"), None);
        session.save(&saved, "a").unwrap();
        assert_eq!(Session::load(&saved, "a"), Some(session));
        assert_eq!(Session::load(&saved, "b"), None);
        let text = saved.load().unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"version\": 1", "\"version\": 2"),
            &text.replace("\"userId\": \"1\"", "\"userId\": \"x\""),
        ] {
            saved.save(broken).unwrap();
            assert_eq!(Session::load(&saved, "a"), None, "{broken}");
        }
    }

    #[test]
    fn a_mark_is_a_part_of_the_fingerprint() {
        assert_eq!(channel_kit::mark(&[0xab; 32]), "abababababababab");
    }
}
