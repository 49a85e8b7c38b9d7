//! The parsers, for a fuzz target; not part of the interface.

use channel_kit::{Inbound, WebhookHead};

use crate::Password;
use crate::message::{Event, event};

/// What is handed on of the body of a webhook.
pub fn webhook(body: &[u8]) -> Option<Inbound> {
    match event(body) {
        Event::New(message) => Some(message.inbound(false)),
        Event::Other | Event::Malformed => None,
    }
}

/// Reads an answer of the server; returns what it says of a failure.
pub fn answer(status: u16, bytes: &[u8]) -> Option<String> {
    let read = crate::api::read("ping", status, bytes);
    read.err().map(|error| error.to_string())
}

/// Whether a query shows a password.
pub fn shows(password: &str, query: &str) -> Option<bool> {
    let password = Password::parse(password)?;
    Some(password.is_shown_by(&WebhookHead::new(Some(query), &|_| None)))
}
