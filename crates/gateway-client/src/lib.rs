//! An async client for OpenClaw's gateway: proves its device key, keeps its device tokens and reconnects.
//!
//! - [`Connect`] holds the address, the identity and the credentials; [`Connect::open`] connects once,
//!   [`Connect::keep`] reconnects until dropped.
//! - [`Client`] makes calls and [`Events`] receives events; a [`Link`] provides both across reconnects, and
//!   reports why it is not connected. [`node`] serves a gateway's requests on a link.
//! - Device tokens are stored by a [`TokenKeeper`], and never deleted.
//! - The client always signs version 3 of the payload, with the gateway's own time: a wrong local clock does
//!   no harm.
//! - The signed token is the first of `auth.token`, `auth.deviceToken` and `auth.bootstrapToken`.
//! - TLS trusts the certificates that this machine trusts, or one pinned [`Fingerprint`]. Proxies are not
//!   supported, nor are headers beyond those of a WebSocket.
//! - Errors contain no secrets, and escape text from the gateway when displayed.
//!
//! ```no_run
//! use gateway_client::Connect;
//! use gateway_protocol::{Empty, device::DevicePairList};
//! use gateway_protocol::GatewayUrl;
//! use pairing_core::ScopeSet;
//!
//! # async fn example(token: gateway_protocol::Secret) -> Result<(), Box<dyn std::error::Error>> {
//! let connect = Connect::to(GatewayUrl::parse("ws://127.0.0.1:18789")?)
//!     .token(token)
//!     .scopes(ScopeSet::admin());
//! let (client, mut events) = connect.open().await?;
//! let devices: DevicePairList = client.call("device.pair.list", Empty {}).await?;
//! println!("{} devices wait for the owner", devices.pending.len());
//! while let Some(event) = events.next().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod backoff;
mod client;
mod closed;
mod connect;
mod credential;
mod dial;
mod error;
mod event;
mod keeper;
pub mod node;
mod queue;
mod session;
mod tls;

pub use client::{CALL, Client, Events};
pub use connect::{Connect, Disconnect, HANDSHAKE, Link, LinkEvent};
pub use error::{CallError, Cause, Closed, ConnectError, Refused};
pub use event::ClientEvent;
pub use gateway_protocol::{Fingerprint, ParseFingerprintError};
pub use keeper::{HeldToken, KeepError, TokenKeeper};
pub use tls::pinned;
