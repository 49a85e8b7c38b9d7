#![doc = include_str!("../README.md")]
//!
//! # Items to begin with
//!
//! [`Connect`], [`Client`] and [`Events`]; [`Link`] to stay connected; [`TokenKeeper`] to store device tokens; [`node`] to
//! serve requests; [`ConnectError`] and [`CallError`] for failures.

mod backoff;
mod client;
mod closed;
mod connect;
mod credential;
mod dial;
mod error;
mod event;
mod join;
mod keeper;
mod listener;
pub mod node;
#[cfg(unix)]
mod owner;
mod queue;
mod session;
mod tls;

pub use client::{CALL, Client, Events};
pub use connect::{Connect, Disconnect, HANDSHAKE, Link, LinkEvent};
pub use error::{CallError, Cause, Closed, ConnectError, Refused};
pub use event::ClientEvent;
pub use gateway_protocol::{Fingerprint, ParseFingerprintError};
pub use join::{JoinError, is_join_url, join};
pub use keeper::{HeldToken, KeepError, TokenKeeper};
#[cfg(unix)]
pub use owner::{OWNER_SOCKET, OwnDirectory, OwnerSocketError, is_own};
pub use tls::pinned;
