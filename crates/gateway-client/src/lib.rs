//! An async client of OpenClaw's gateway: proves its key, keeps its tokens, comes back.
//!
//! - [`Connect`] holds the address, the identity and the credentials; [`Connect::open`] connects once,
//!   [`Connect::keep`] for good.
//! - [`Client`] makes calls, [`Events`] is what happens; a [`Link`] hands out both, and says what it waits
//!   for. [`node`] serves a gateway's requests on one.
//! - Device tokens are kept by a [`TokenKeeper`], and never deleted.
//! - Always signed is v3 of the payload, with the gateway's own time: a clock that is off costs nothing.
//! - The token that is signed is the first of `auth.token`, `auth.deviceToken` and `auth.bootstrapToken`.
//! - Encryption trusts what this machine trusts, or one [`Fingerprint`]. There are no proxies, and no
//!   headers beyond those of a WebSocket.
//! - Errors hold no secrets, and escape what the gateway wrote.
//!
//! ```no_run
//! use gateway_client::Connect;
//! use gateway_protocol::{Empty, device::DevicePairList};
//! use pairing_core::{GatewayUrl, ScopeSet};
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
mod connect;
mod credential;
mod dial;
mod error;
mod event;
mod handshake;
mod keeper;
mod link;
pub mod node;
mod queue;
mod session;
mod tls;

pub use client::{CALL, Client, Events};
pub use connect::{Connect, HANDSHAKE};
pub use error::{CallError, Cause, Closed, ConnectError, Refused};
pub use event::ClientEvent;
pub use gateway_protocol::{Fingerprint, ParseFingerprintError};
pub use keeper::{HeldToken, KeepError, TokenKeeper};
pub use link::{Disconnect, Link, LinkEvent};
pub use tls::pinned;
