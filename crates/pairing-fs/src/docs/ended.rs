//! Records in each approval what it ends, so that one interrupted by a crash is recognised and finished.

use pairing_core::TokenHash;
use pairing_core::device::PairingToken;

use super::fields::Fields;
use super::keyed::{Entry, Keyed};
use crate::json::{self, Edit, Members};

/// The request and tokens that an approval ends, stored with the approved record from the moment it counts.
///
/// The request is removed last: as long as it is still there, the rest may be unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Name of the request.
    pub(crate) request: String,
    /// The pairing tokens that change with the approval: the new state of each, or `None` if it is deleted.
    pub(crate) tokens: Vec<(TokenHash, Option<PairingToken>)>,
}

const REQUEST: &str = "request";
const TOKENS: &str = "pairingTokens";

impl Ended {
    /// Name of the member in the approved record.
    pub(super) const KEY: &str = "ends";

    pub(super) fn read(record: &Members<'_>) -> Option<Self> {
        let ends = record.members(Self::KEY);
        let tokens = ends.members(TOKENS);
        let tokens = tokens.iter().filter_map(|(name, raw)| {
            let hash = TokenHash::parse(name).ok()?;
            if raw == "null" {
                return Some((hash, None));
            }
            let members = Members::parse(raw).ok()?;
            Some((hash, Some(PairingToken::read(name, &members).ok()?)))
        });
        Some(Self {
            tokens: tokens.collect(),
            request: ends.text(REQUEST)?,
        })
    }

    pub(super) fn write(&self, record: &mut Edit) {
        let mut tokens = Edit::default();
        for (hash, token) in &self.tokens {
            let mut entry = Edit::default();
            if let Some(token) = token {
                token.write(&mut entry);
            }
            let text = token.as_ref().map(|_| entry.render(4));
            let text = text.unwrap_or_else(|| "null".to_owned());
            tokens.set(&hash.to_string(), text);
        }
        let mut ends = Edit::default();
        ends.set(REQUEST, json::quoted(&self.request));
        ends.put_object(TOKENS, &tokens, 3);
        record.set(Self::KEY, ends.render(2));
    }
}

/// Returns the approvals that already count but whose requests are still there: by id, with what they end.
pub(crate) fn unfinished<'d, Q: Entry, P: Entry>(
    pending: &'d Keyed<Q>,
    paired: &'d Keyed<P>,
) -> Vec<(String, &'d Ended)> {
    let waiting = pending.from(0);
    let half_done = waiting.filter_map(|(_, id, _)| {
        let ended = paired.ended(id)?;
        let is_named = pending.name_of(id) == Some(&ended.request);
        is_named.then(|| (id.to_owned(), ended))
    });
    half_done.collect()
}
