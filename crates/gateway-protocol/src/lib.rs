#![doc = include_str!("../README.md")]
//!
//! # Items to begin with
//!
//! - [`Request`], [`Response`] and [`Event`] are the frames that a gateway reads and writes; [`ServerFrame`] is what a
//!   client reads. [`read_params`] parses parameters.
//! - [`ConnectParams`], [`hello`] and [`Refusal`] are the handshake.
//! - [`device`], [`node`], [`dm`], [`channel`] and the other modules hold the methods by subject.
//! - [`ErrorShape`] and [`DetailCode`] are errors; [`Advise`] says what to do about those of `pairing-core`.
//!
//! The types that can hold a secret, because the protocol issues it there, are [`hello::HelloAuth`],
//! [`node::ApprovedNode`], [`device::TokenRotated`], [`upgrade::UpgradeResolved`] and [`channel_login::LoginProgress`].

mod advice;
mod connect;
mod detail_code;
mod error;
mod fingerprint;
mod frame;
mod gateway_url;
pub mod other_program;
mod params;
mod refusal;
mod secret;
mod service_url;
mod setup_code;

pub mod audit;
pub mod channel;
pub mod channel_login;
pub mod channels_pairing;
pub mod channels_status;
pub mod device;
pub mod dm;
pub mod doctor;
pub mod event;
pub mod health;
pub mod hello;
pub mod invoke;
pub mod listener_proof;
pub mod message;
pub mod node;
pub mod setup;
pub mod upgrade;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use advice::Advise;
pub use connect::{ClientInfo, ConnectAuth, ConnectParams, DeviceClaim};
pub use detail_code::DetailCode;
pub use error::{ErrorCode, ErrorShape};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use frame::{Event, FrameError, Request, RequestFrame, Response, ServerFrame, StateVersion};
pub use gateway_url::{GatewayUrl, GatewayUrlError};
pub use params::{Empty, Text, read_params};
pub use refusal::{AuthFailure, PairingDetails, Refusal};
pub use secret::Secret;
pub use service_url::ServiceUrl;
pub use setup_code::{SetupCode, SetupCodeError};

/// Supported protocol versions.
pub const VERSIONS: RangeInclusive<u32> = 3..=4;

/// Maximum frame size after `hello-ok`, in bytes, as announced to clients.
pub const MAX_PAYLOAD: usize = 25 * 1024 * 1024;

/// Maximum number of bytes buffered for one connection, as announced to clients.
pub const MAX_BUFFERED: usize = 50 * 1024 * 1024;

/// Interval between `tick` events; clients give up after missing two.
pub const TICK_INTERVAL: Duration = Duration::from_secs(30);

/// Close codes: why a WebSocket was closed.
pub mod close {
    /// Normal closure.
    pub const NORMAL: u16 = 1000;
    /// The other side is going away, for example a gateway that shuts down.
    pub const GOING_AWAY: u16 = 1001;
    /// The two sides have no protocol version in common.
    pub const PROTOCOL: u16 = 1002;
    /// The connection was refused, or its access was revoked.
    pub const POLICY: u16 = 1008;
    /// A frame exceeded the size limit.
    pub const TOO_BIG: u16 = 1009;
    /// The client should try again later.
    pub const TRY_AGAIN: u16 = 1013;
}
