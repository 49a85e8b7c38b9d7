//! Slash commands that wait for an answer: what is said to their chat soon after them is for the person who gave them
//! alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::Id;

/// What is sent to a chat so soon after a command answers it.
const ANSWERS: Duration = Duration::from_secs(30);

/// Maximum number of commands that are remembered.
const MOST: usize = 256;

/// Commands that wait for answers, by their chat.
#[derive(Debug, Default)]
pub(crate) struct Commands(Mutex<HashMap<Box<str>, (Instant, Id)>>);

impl Commands {
    /// Notes a command.
    pub(crate) fn given(&self, chat: &Id, by: &Id) {
        let mut waiting = self.waiting();
        if waiting.len() >= MOST {
            waiting.retain(|_, (since, _)| since.elapsed() < ANSWERS);
        }
        if waiting.len() < MOST {
            waiting.insert(chat.as_str().into(), (Instant::now(), by.clone()));
        }
    }

    /// Notes that something else was said in a chat: what is sent from now on answers that.
    pub(crate) fn said(&self, chat: &str) {
        self.waiting().remove(chat);
    }

    /// The person whose command is answered by what is sent to a chat now.
    pub(crate) fn answers(&self, chat: &str) -> Option<Id> {
        let mut waiting = self.waiting();
        waiting.retain(|_, (since, _)| since.elapsed() < ANSWERS);
        waiting.get(chat).map(|(_, by)| by.clone())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Box<str>, (Instant, Id)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_is_answered_for_half_a_minute_unless_something_else_is_said() {
        let [chat, by] = ["D1", "U1"].map(|id| Id::parse(id).unwrap());
        let all = Commands::default();
        assert_eq!(all.answers("D1"), None);
        all.given(&chat, &by);
        assert_eq!(all.answers("D1"), Some(by.clone()));
        assert_eq!(all.answers("D1"), Some(by.clone()));
        tokio::time::advance(ANSWERS).await;
        assert_eq!(all.answers("D1"), None);
        all.given(&chat, &by);
        all.said("D1");
        assert_eq!(all.answers("D1"), None);
        for number in 0..2 * MOST {
            all.given(&Id::parse(&format!("D{number}")).unwrap(), &by);
        }
        assert_eq!(all.waiting().len(), MOST);
    }
}
