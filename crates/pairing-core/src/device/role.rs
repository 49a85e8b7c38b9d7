//! The role of a device towards the gateway.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role of a connection, which limits its operations before its scopes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, sends and decides, within its scopes.
    Operator,
    /// Executes commands; has no scopes.
    Node,
}

/// The text is not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid role")]
pub struct ParseRoleError;

impl Role {
    /// Parses a role's exact name.
    pub fn parse(text: &str) -> Result<Self, ParseRoleError> {
        match text {
            "operator" => Ok(Self::Operator),
            "node" => Ok(Self::Node),
            _ => Err(ParseRoleError),
        }
    }

    /// Returns the name.
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
