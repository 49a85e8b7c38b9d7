//! The state of an adapter's connection.

use std::sync::{Mutex, PoisonError};

use pairing_core::{Chain, Timestamp};

use crate::SaveError;

/// The connection of an adapter to its chat system.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether messages are received.
    pub connection: Connection,
    /// The time since which that is so; `None` before the adapter first ran.
    pub since: Option<Timestamp>,
    /// The time at which a message was last received.
    pub last_received: Option<Timestamp>,
    /// The last error, escaped and without secrets. It stays when the connection has recovered.
    pub last_error: Option<String>,
    /// How far this machine's clock is ahead of the chat system's, in milliseconds; negative where it is behind. `None`
    /// where the chat system does not tell its time.
    pub clock_ahead_ms: Option<i64>,
    /// Why what was received cannot be saved, escaped: a restart may miss or repeat messages.
    pub not_saved: Option<String>,
}

impl Status {
    /// Compares this machine's clock with that of the chat system, where that is known.
    pub fn with_service_time(mut self, service: Option<Timestamp>, now: Timestamp) -> Self {
        let ahead = service.map(|service| now.as_millis().saturating_sub(service.as_millis()));
        self.clock_ahead_ms = ahead.or(self.clock_ahead_ms);
        self
    }
}

/// Whether an adapter receives messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Connection {
    /// It does not run.
    #[default]
    Stopped,
    /// It was started, and has neither connected nor failed yet.
    Connecting,
    /// It receives messages.
    Connected,
    /// It does not receive messages, and retries.
    Failing,
}

/// The [`Status`] that an adapter keeps of itself.
#[derive(Debug, Default)]
pub struct StatusCell(Mutex<Status>);

impl Default for Status {
    fn default() -> Self {
        Self {
            connection: Connection::Stopped,
            since: None,
            last_received: None,
            last_error: None,
            clock_ahead_ms: None,
            not_saved: None,
        }
    }
}

impl StatusCell {
    /// The status now.
    pub fn get(&self) -> Status {
        self.status().clone()
    }

    /// Notes the state of the connection. A state that lasts keeps the time at which it began.
    pub fn set(&self, connection: Connection, now: Timestamp) {
        let mut status = self.status();
        if status.connection != connection {
            status.connection = connection;
            status.since = Some(now);
        }
    }

    /// Notes that the connection fails.
    pub fn failed(&self, error: impl Into<String>, now: Timestamp) {
        self.set(Connection::Failing, now);
        self.status().last_error = Some(error.into());
    }

    /// Notes an error that does not end the connection.
    pub fn noted(&self, error: impl Into<String>) {
        self.status().last_error = Some(error.into());
    }

    /// Forgets the last error, if it is this one: what it says is so no more.
    pub fn mended(&self, error: &str) {
        let mut status = self.status();
        if status.last_error.as_deref() == Some(error) {
            status.last_error = None;
        }
    }

    /// Notes that a message was received.
    pub fn received(&self, now: Timestamp) {
        self.status().last_received = Some(now);
    }

    /// Notes whether what was received could be saved.
    pub fn saved(&self, saved: &Result<(), SaveError>) {
        let why = saved.as_ref().err();
        self.status().not_saved = why.map(|error| Chain(error).to_string());
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_its_beginning_and_an_error_outlasts_it() {
        let at = Timestamp::from_millis;
        let cell = StatusCell::default();
        assert_eq!(cell.get(), Status::default());
        cell.set(Connection::Connected, at(1));
        cell.set(Connection::Connected, at(2));
        cell.received(at(3));
        assert_eq!(cell.get().since, Some(at(1)));
        cell.failed("no network", at(4));
        cell.failed("no route", at(5));
        let status = cell.get();
        assert_eq!(
            (status.connection, status.since),
            (Connection::Failing, Some(at(4)))
        );
        cell.set(Connection::Connected, at(6));
        let status = cell.get();
        assert_eq!(status.since, Some(at(6)));
        assert_eq!(status.last_received, Some(at(3)));
        assert_eq!(status.last_error.as_deref(), Some("no route"));
        cell.noted("not delivered");
        let status = cell.get();
        assert_eq!(status.connection, Connection::Connected);
        assert_eq!(status.last_error.as_deref(), Some("not delivered"));
    }

    #[test]
    fn what_cannot_be_saved_is_said_until_it_can() {
        let cell = StatusCell::default();
        cell.saved(&Err(SaveError::new("no space left")));
        let why = cell.get().not_saved.unwrap();
        assert!(why.ends_with("no space left"), "{why}");
        cell.saved(&Ok(()));
        assert_eq!(cell.get().not_saved, None);
    }

    #[test]
    fn clocks_are_compared_at_the_time_of_asking() {
        let at = Timestamp::from_millis;
        let status = |service, now| {
            let status = Status::default().with_service_time(service, at(now));
            status.clock_ahead_ms
        };
        assert_eq!(status(Some(at(10)), 30), Some(20));
        assert_eq!(status(Some(at(30)), 10), Some(-20));
        assert_eq!(status(None, 10), None);
    }

    #[test]
    fn what_is_mended_is_said_no_more_and_another_error_stays() {
        let at = Timestamp::from_millis;
        let cell = StatusCell::default();
        cell.set(Connection::Connected, at(1));
        cell.noted("no scope");
        assert_eq!(cell.get().connection, Connection::Connected);
        cell.mended("another");
        assert_eq!(cell.get().last_error.as_deref(), Some("no scope"));
        cell.mended("no scope");
        assert_eq!(cell.get().last_error, None);
    }
}
