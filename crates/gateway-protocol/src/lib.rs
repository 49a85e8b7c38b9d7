//! OpenClaw's gateway protocol as types: frames, the handshake and its refusals, methods and events.
//!
//! - Versions 3 and 4, as clients of 2026 speak them: JSON, one frame a WebSocket message.
//! - What comes in is read once, into types that hold what the protocol demands; what is wrong is an
//!   [`ErrorShape`] that names the field, and shows nothing of its value.
//! - What goes out cannot show a secret, but where the protocol deals one out: [`hello::HelloAuth`],
//!   [`node::ApprovedNode`] and [`device::TokenRotated`].
//! - No I/O, no clock, no randomness: both the server and clients are built on it.

mod connect;
mod error;
mod fingerprint;
mod frame;
mod params;
mod refusal;
mod secret;

pub mod audit;
pub mod channel;
pub mod device;
pub mod dm;
pub mod doctor;
pub mod event;
pub mod hello;
pub mod invoke;
pub mod message;
pub mod node;
pub mod setup;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use connect::{ClientInfo, ConnectAuth, ConnectParams, DeviceClaim};
pub use error::{ErrorCode, ErrorShape};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use frame::{Event, FrameError, Request, RequestFrame, Response, ServerFrame, StateVersion};
pub use params::{Empty, Text, read_params};
pub use refusal::{AuthFailure, PairingDetails, Refusal};
pub use secret::Secret;

/// The versions that are spoken.
pub const VERSIONS: RangeInclusive<u32> = 3..=4;

/// The largest frame after `hello-ok`, in bytes, that clients are told of.
pub const MAX_PAYLOAD: usize = 25 * 1024 * 1024;

/// The most that is buffered for a connection, in bytes, that clients are told of.
pub const MAX_BUFFERED: usize = 50 * 1024 * 1024;

/// How often a `tick` comes; clients give up after two that did not.
pub const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// Why a WebSocket was closed, as its close frame says.
pub mod close {
    /// It is over.
    pub const NORMAL: u16 = 1000;
    /// The other side goes away: a gateway that shuts down.
    pub const GOING_AWAY: u16 = 1001;
    /// No version in common.
    pub const PROTOCOL: u16 = 1002;
    /// Refused, or revoked.
    pub const POLICY: u16 = 1008;
    /// A frame beyond what may be sent.
    pub const TOO_BIG: u16 = 1009;
    /// Try again later.
    pub const TRY_AGAIN: u16 = 1013;
}
