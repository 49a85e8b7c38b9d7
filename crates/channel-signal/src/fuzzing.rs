//! The parsers, for a fuzz target; not part of the interface.

use channel_kit::Inbound;

use crate::envelope;
use crate::events::Events;
use crate::people::People;

/// What is handed on of a stream of events that comes in pieces of this size.
pub fn stream(bytes: &[u8], size: usize) -> Vec<Inbound> {
    let mut events = Events::default();
    let mut people = People::default();
    let pieces = bytes.chunks(size.max(1));
    let data: Vec<_> = pieces.flat_map(|piece| events.push(piece)).collect();
    let envelopes = data.iter().filter_map(|event| envelope::parse(event));
    envelopes
        .filter_map(|mut envelope| {
            let who = people.identify(envelope.number.clone(), envelope.uuid.take())?;
            Some(envelope.inbound(who, None))
        })
        .collect()
}

/// Reads the answer to a call; returns what it says of a failure.
pub fn answer(bytes: &[u8]) -> Option<String> {
    crate::rpc::read("send", bytes)
        .err()
        .map(|error| error.to_string())
}
