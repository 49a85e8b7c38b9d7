//! OpenClaw's gateway, as far as pairing needs it: a WebSocket server to run or to embed.

mod bind;
mod breaker;
mod edge;
mod fresh;
mod instance;
mod limits;
mod lockout;
mod metrics;
mod reload;
mod secret;
mod settings;
mod sockets;
mod tls;

pub use bind::{BindError, Interfaces, addresses};
pub use breaker::{Breaker, Verdict};
pub use edge::{Arrival, Door, DoorError, Origin, Turned};
pub use fresh::{
    FreshError, Prepared, TokenFileError, TokenPlace, prepare, read_token, token_path,
};
pub use instance::{Instance, InstanceError};
pub use limits::GatewayLimits;
pub use lockout::{Class, Locked, Lockouts, Subject};
pub use metrics::{Connected, Metrics, Timed};
pub use reload::{Reload, ReloadError};
pub use secret::{SecretError, SecretFailure, Shared, SharedSecret};
pub use settings::{Overrides, Settings, SettingsError, TlsFiles};
pub use sockets::{Full, Permit, Waiting};
pub use tls::{Fingerprint, ParseFingerprintError, Tls, TlsError};
