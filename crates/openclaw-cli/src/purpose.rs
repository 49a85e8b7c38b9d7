//! What a command requires of a gateway.

/// What a command requires of a gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    pub(crate) scopes: &'static [&'static str],
    /// The methods that it requires.
    pub(crate) needs: &'static [&'static str],
    /// Whether the command decides something. One that only reads creates no identity, and asks for no
    /// pairing.
    pub(crate) decides: bool,
}

/// The methods of the other program that stand for ours, or tell that it has one that it does not list.
pub(crate) fn equivalent(method: &str) -> Option<&'static str> {
    match method {
        "pairing.channels" => Some("channels.status"),
        // Releases that decide about senders over the wire answer `device.pair.setupCode`, and do not list it.
        "pairing.list" | "device.pair.setupCode" => Some("channels.pairing.list"),
        "pairing.approve" => Some("channels.pairing.approve"),
        "pairing.reject" => Some("channels.pairing.dismiss"),
        _ => None,
    }
}
