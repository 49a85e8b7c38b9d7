//! The parser of updates, for a fuzz target; not part of the interface.

use channel_kit::Incoming;
use pairing_core::Timestamp;

use crate::update;

/// A parsed update: its id, its content, and the button press to acknowledge.
pub type ParsedUpdate = (i64, Option<Incoming>, Option<String>);

/// Parses an answer to `getUpdates` for the bot with this id; `None` if it is not a list of updates.
pub fn updates(result: &str, me: i64) -> Option<Vec<ParsedUpdate>> {
    let since = Timestamp::from_millis(0);
    let updates = update::parse(result, update::Context { me, since }).ok()?;
    let updates = updates.into_iter();
    Some(updates.map(|it| (it.id, it.what, it.query)).collect())
}
