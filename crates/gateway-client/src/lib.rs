//! An async client of OpenClaw's gateway: proves its key, keeps its tokens, comes back.

mod backoff;
mod client;
mod connect;
mod credential;
mod dial;
mod error;
mod event;
mod fingerprint;
mod handshake;
mod keeper;
mod link;
mod queue;
mod session;
mod tls;

pub use client::{CALL, Client, Events};
pub use connect::{Connect, HANDSHAKE};
pub use error::{CallError, Cause, Closed, ConnectError, Refused};
pub use event::ClientEvent;
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use keeper::{HeldToken, KeepError, TokenKeeper};
pub use link::{Disconnect, Link, LinkEvent};
