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

/// The methods of the other program that stand for ours.
pub(crate) fn equivalent(method: &str) -> Option<&'static str> {
    match method {
        "pairing.channels" => Some("channels.status"),
        "pairing.list" => Some("channels.pairing.list"),
        "pairing.approve" => Some("channels.pairing.approve"),
        "pairing.reject" => Some("channels.pairing.dismiss"),
        _ => None,
    }
}

/// A method of the other program by which it is known to have this one, which it does not list.
pub(crate) fn sign_of(method: &str) -> Option<&'static str> {
    // Releases that decide about senders over the wire answer it.
    (method == "device.pair.setupCode").then_some("channels.pairing.list")
}
