//! The parser, for a fuzz target; not part of the interface.

use channel_kit::Inbound;
use pairing_core::Timestamp;

use crate::frame::{self, Frame};
use channel_kit::child::Lines;

/// What is handed on of a child's output that comes in pieces of this size, and what it says of failures.
pub fn output(bytes: &[u8], size: usize) -> (Vec<Inbound>, Vec<String>) {
    let mut lines = Lines::new(frame::LINE);
    let pieces = bytes.chunks(size.max(1));
    let lines: Vec<_> = pieces.flat_map(|piece| lines.push(piece)).collect();
    let (mut messages, mut failures) = (Vec::new(), Vec::new());
    for frame in lines.iter().filter_map(|line| frame::parse(line)) {
        match frame {
            Frame::Message(message) => {
                messages.push(message.inbound(Timestamp::from_millis(1_795_353_726_325), false));
            }
            Frame::WatchFailed(reason) => failures.push(reason),
            Frame::Answer { outcome, .. } => {
                failures.extend(outcome.err().map(|refusal| refusal.message));
            }
        }
    }
    (messages, failures)
}
