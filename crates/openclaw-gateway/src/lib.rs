#![doc = include_str!("../README.md")]
//!
//! # Items to begin with
//!
//! - [`serve`] runs a gateway on a state directory, from preparing it to the shutdown.
//! - [`Gateway::builder`] puts a gateway together from parts: [`GatewayBuilder`]. [`Handle`] changes it while it runs.
//! - [`Settings`] come from the configuration; [`prepare`] creates it on a fresh machine.
//! - [`Call`] and [`Access`] are for methods of your own; [`peers`] for several gateways; [`store`] opens the configured
//!   store.

mod adapters;
mod alive;
mod bind;
mod breaker;
mod budget;
mod chat;
mod clients;
mod conn;
pub mod doctor;
mod edge;
mod feed;
mod file_watch;
mod following;
mod frames;
mod fresh;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod health;
mod host;
mod http;
mod instance;
mod invokes;
mod join_codes;
mod limits;
mod listen;
mod lockout;
mod logins;
mod methods;
mod metrics;
mod outbox;
mod owner_socket;
mod page_tickets;
mod parts;
pub mod peers;
mod presence;
mod probes;
mod prove;
pub mod qr;
mod reach;
mod reload;
mod reported;
mod requests;
mod secret;
mod serve;
mod server;
mod sessions;
mod settings;
mod setup_outcomes;
mod state_file;
pub mod store;
mod store_health;
mod tailscale;
mod tls;
mod upgrades;
pub mod words;
mod write_health;

pub use alive::Alive;
pub use bind::{BindError, Interfaces, addresses};
pub use breaker::{Breaker, Verdict};
pub use budget::{Full, Permit, Waiting};
pub use edge::{Arrival, Door, DoorError, Origin, ProxyUsers, Turned};
pub use file_watch::ReloadError;
pub use fresh::{
    FreshError, Prepared, TokenFileError, TokenPlace, prepare, read_token, token_path,
};
pub use gateway::{Gateway, GatewayBuilder, Handle};
pub use gateway_protocol::{Fingerprint, ParseFingerprintError};
pub use health::Space;
pub use instance::{Instance, InstanceError, InstanceWatch};
pub use limits::GatewayLimits;
pub use lockout::{Class, Locked, Lockouts, Subject};
pub use logins::{Linking, LinkingError};
pub use methods::{Access, Call, Reply};
pub use metrics::{Connected, Metrics, Timed};
pub use owner_socket::OwnerSocket;
pub use reach::{Reach, ReachError};
pub use reload::Reload;
pub use secret::{SecretError, SecretFailure, Shared, SharedSecret};
pub use serve::{Announcement, ServeError, ServeOptions, serve};
pub use settings::{Overrides, Settings, SettingsError, TlsFiles, Var};
pub use state_file::StateFile;
pub use tailscale::tailnet_name;
pub use tls::{CertificateFacts, Tls, TlsError};

/// The version that the gateway and its peers report.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
