//! What a device is to the gateway.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role of a connection: what it may do at all, before scopes say how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks, sends and decides, as far as its scopes go.
    Operator,
    /// Does what it is asked to; has no scopes.
    Node,
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid role")]
pub struct ParseRoleError;

impl Role {
    /// Reads a role's name, exactly.
    pub fn parse(text: &str) -> Result<Self, ParseRoleError> {
        match text {
            "operator" => Ok(Self::Operator),
            "node" => Ok(Self::Node),
            _ => Err(ParseRoleError),
        }
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
