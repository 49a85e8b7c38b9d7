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
