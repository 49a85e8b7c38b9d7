//! OpenClaw's gateway, as far as pairing needs it: a WebSocket server to run or to embed.

mod breaker;
mod edge;
mod limits;
mod lockout;
mod secret;
mod sockets;

pub use breaker::{Breaker, Verdict};
pub use edge::{Arrival, Door, DoorError, Origin, Turned};
pub use limits::GatewayLimits;
pub use lockout::{Class, Locked, Lockouts, Subject};
pub use secret::{SecretError, SecretFailure, Shared, SharedSecret};
pub use sockets::{Full, Permit, Waiting};
