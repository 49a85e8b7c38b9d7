//! Interactions that wait for an answer.
//!
//! An interaction is acknowledged at once, within the three seconds that Discord gives, and answered later. The answers to
//! a command are seen by the person who gave it alone. They are not sent as messages of the chat, and can be changed
//! for 15 minutes only, by the token of the interaction.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What is sent to a chat so soon after a command answers it.
pub(crate) const ANSWERS: Duration = Duration::from_secs(30);

/// The time for which the token of an interaction is used. It is valid for 15 minutes.
const VALID: Duration = Duration::from_secs(14 * 60);

/// The longest wait for an acknowledgement to arrive.
const ACKNOWLEDGED: Duration = Duration::from_secs(3);

/// Maximum number of commands, and of answers, that are remembered.
const MOST: usize = 256;

/// Commands that wait for answers, by their chat, and the answers that were sent.
#[derive(Debug, Default)]
pub(crate) struct Interactions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<Box<str>, Command>,
    /// The tokens of messages that one person sees alone; oldest first.
    messages: VecDeque<(Instant, Box<str>, Token)>,
}

struct Command {
    since: Instant,
    token: Token,
    is_answered: bool,
    /// Whether it was acknowledged; `None` while that is not known.
    acknowledged: watch::Receiver<Option<bool>>,
}

/// The token of an interaction; its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) Box<str>);

/// The way to answer a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) token: Token,
    /// Whether this is the first answer, which takes the place of the app's "thinking".
    pub(crate) is_first: bool,
}

impl Interactions {
    /// Notes a command, in place of an earlier one of the chat. The sender tells whether it was acknowledged, and is closed
    /// when nobody waits any more. With the token of the earlier one, if nobody has answered that.
    pub(crate) fn command(
        &self,
        chat: &str,
        token: &str,
    ) -> (watch::Sender<Option<bool>>, Option<Token>) {
        let (tell, acknowledged) = watch::channel(None);
        let command = Command {
            since: Instant::now(),
            token: Token(token.into()),
            is_answered: false,
            acknowledged,
        };
        let mut inner = self.inner();
        if inner.waiting.len() >= MOST {
            inner
                .waiting
                .retain(|_, command| command.since.elapsed() < ANSWERS);
        }
        let mut replaced = None;
        if inner.waiting.len() < MOST || inner.waiting.contains_key(chat) {
            replaced = inner.waiting.insert(chat.into(), command);
        }
        let replaced = replaced.filter(|command| !command.is_answered);
        (tell, replaced.map(|command| command.token))
    }

    /// Notes that something else was said in a chat: what is sent from now on answers that.
    pub(crate) fn said(&self, chat: &str) {
        self.inner().waiting.remove(chat);
    }

    /// How to answer the command that was given in a chat last, once it is acknowledged. `None` where there is none.
    pub(crate) async fn answer(&self, chat: &str) -> Option<Answer> {
        let mut acknowledged = {
            let mut inner = self.inner();
            let command = inner.waiting.get(chat)?;
            if command.since.elapsed() > ANSWERS {
                inner.waiting.remove(chat);
                return None;
            }
            command.acknowledged.clone()
        };
        let known = timeout(ACKNOWLEDGED, acknowledged.wait_for(Option::is_some)).await;
        let is_known = known.is_ok_and(|known| known.is_ok_and(|known| *known == Some(true)));
        let mut inner = self.inner();
        if !is_known {
            inner.waiting.remove(chat);
            return None;
        }
        let command = inner.waiting.get_mut(chat)?;
        Some(Answer {
            token: command.token.clone(),
            is_first: !std::mem::replace(&mut command.is_answered, true),
        })
    }

    /// Takes a command that nobody has answered.
    pub(crate) fn take_unanswered(&self, chat: &str, token: &str) -> Option<Token> {
        let mut inner = self.inner();
        let command = inner.waiting.get(chat)?;
        if &*command.token.0 != token {
            return None;
        }
        let command = inner.waiting.remove(chat)?;
        (!command.is_answered).then_some(command.token)
    }

    /// Notes that a message is seen by one person alone.
    pub(crate) fn sent(&self, message: &str, token: Token) {
        let mut inner = self.inner();
        if inner.messages.len() >= MOST {
            inner.messages.pop_front();
        }
        inner
            .messages
            .push_back((Instant::now(), message.into(), token));
    }

    /// The token to change a message with, where it is not an ordinary one.
    pub(crate) fn of_message(&self, message: &str) -> Option<Token> {
        let mut inner = self.inner();
        inner.messages.retain(|(at, ..)| at.elapsed() < VALID);
        let mut messages = inner.messages.iter().rev();
        let found = messages.find(|(_, id, _)| &**id == message);
        found.map(|(_, _, token)| token.clone())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(all: &Interactions, chat: &str, token: &str) {
        all.command(chat, token).0.send_replace(Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_is_answered_for_half_a_minute() {
        let all = Interactions::default();
        assert_eq!(all.answer("1").await, None);
        acknowledged(&all, "1", "t");
        assert!(all.answer("1").await.unwrap().is_first);
        assert!(!all.answer("1").await.unwrap().is_first);
        assert_eq!(all.answer("2").await, None);
        tokio::time::advance(ANSWERS + Duration::from_secs(1)).await;
        assert_eq!(all.answer("1").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_acknowledgement_there_is_no_answer() {
        let all = Interactions::default();
        all.command("1", "t").0.send_replace(Some(false));
        assert_eq!(all.answer("1").await, None);
        let _kept = all.command("1", "t");
        assert_eq!(all.answer("1").await, None);
        drop(all.command("1", "t"));
        assert_eq!(all.answer("1").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_afterwards_is_answered_in_the_chat() {
        let all = Interactions::default();
        acknowledged(&all, "1", "t");
        all.said("1");
        assert_eq!(all.answer("1").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_answers_is_known() {
        let all = Interactions::default();
        acknowledged(&all, "1", "t");
        assert_eq!(all.take_unanswered("1", "other"), None);
        assert!(all.take_unanswered("1", "t").is_some());
        acknowledged(&all, "1", "u");
        all.answer("1").await.unwrap();
        assert_eq!(all.take_unanswered("1", "u"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_bounded_kept_for_their_time_and_not_shown() {
        let all = Interactions::default();
        let token = Token("hunter2".into());
        for id in 0..2 * MOST {
            all.sent(&id.to_string(), token.clone());
            all.command(&id.to_string(), "hunter2");
        }
        assert!(!format!("{all:?}").contains("hunter2"));
        assert!(all.inner().messages.len() <= MOST && all.inner().waiting.len() <= MOST);
        let last = (2 * MOST - 1).to_string();
        assert_eq!(all.of_message("0"), None);
        assert_eq!(all.of_message(&last), Some(token));
        tokio::time::advance(VALID).await;
        assert_eq!(all.of_message(&last), None);
    }
}
