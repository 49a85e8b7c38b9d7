//! What a cluster may hold, for the fuzz target: whatever somebody else has written under our keys.

use pairing_core::store::PageRequest;
use pairing_core::{ChannelId, Range};

use crate::layout::Layout;
use crate::mirror::{Event, Mirror};

/// Takes in lines of `key=value` (a key alone is a deletion) as changes, one revision each, and reads all of
/// it back: whatever is listed is read under its own key, and nothing else is.
///
/// # Panics
///
/// Where that does not hold.
pub fn state(text: &str) {
    let layout = Layout::new("fuzz");
    let mut mirror = Mirror::new(layout.clone(), 0);
    for (line, revision) in text.lines().zip(1..) {
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value.as_bytes())),
            None => (line, None),
        };
        let key = format!("{}{key}", layout.state());
        mirror.apply([Event {
            key: key.as_bytes(),
            value,
            revision,
        }]);
    }
    let channel = ChannelId::parse("telegram").ok();
    let of_channel = channel.map(|channel| Range::Allowed {
        channel,
        account: None,
    });
    let ranges = [
        Range::Devices,
        Range::DeviceRequests,
        Range::PairingTokens,
        Range::BearerClients,
        Range::Nodes,
    ];
    for range in ranges.into_iter().chain(of_channel) {
        let page = mirror.range(&range, &PageRequest::first(usize::MAX));
        for record in page.records {
            let read = mirror.read(&record.key()).ok().and_then(|read| read.record);
            assert_eq!(read, Some(record), "a record that is listed is read");
        }
    }
}
