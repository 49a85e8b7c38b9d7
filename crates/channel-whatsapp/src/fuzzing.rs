//! The parsers, for a fuzz target; not part of the interface.

use channel_kit::{Incoming, Verification, Webhook as _, WebhookHead};

use crate::signature::Signature;
use crate::{AppSecret, PhoneNumberId};

/// What a body holds for a number: what is handed on, and texts of failures. `None` if it is not what Meta sends.
pub fn delivered(body: &[u8], number: &str) -> Option<(Vec<Incoming>, Vec<String>)> {
    let found = crate::event::read(body, &PhoneNumberId::parse(number)?)?;
    let events = found.events.into_iter().map(|event| event.what);
    let failures = found.failures.iter().map(ToString::to_string);
    Some((events.collect(), failures.collect()))
}

/// Whether a header is the signature of a body.
pub fn is_signed(header: &str, body: &[u8], secret: &str) -> bool {
    let secret = AppSecret::parse(secret);
    let signature = Signature::parse(header);
    secret
        .zip(signature)
        .is_some_and(|(secret, signature)| signature.is_of(body, &secret))
}

/// What a query is answered with when the webhook is set up.
pub fn verified(account: &crate::WhatsApp, query: &str) -> Option<String> {
    match account.verify(&WebhookHead::new(Some(query), &|_| None)) {
        Verification::Answer(answer) => Some(answer),
        _ => None,
    }
}

/// Reads an answer of the server; returns what it says of a failure.
pub fn answer(bytes: &[u8]) -> Option<(i64, String)> {
    crate::api::refusal(bytes)
}
