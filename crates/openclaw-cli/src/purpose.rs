//! What a command needs of a gateway.

/// What a command needs of a gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    pub(crate) scopes: &'static [&'static str],
    /// Methods without which there is no use in it.
    pub(crate) needs: &'static [&'static str],
    /// Whether it decides something. A purpose that only reads makes no identity and asks for no pairing.
    pub(crate) decides: bool,
}
