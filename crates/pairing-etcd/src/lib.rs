//! OpenClaw pairing state on an etcd cluster, for several gateways that share one truth.
//!
//! `EtcdStore` implements [`pairing_core::PairingStore`] over the v3 interface of etcd 3.4 or newer, and
//! `Directory` is where gateways find each other. Both are built with the feature `client`, which needs
//! `protoc`; without it only [`Settings`] are here.

#![cfg_attr(
    not(feature = "client"),
    allow(
        dead_code,
        reason = "what keeps the state in memory is built and tested without a cluster, too"
    )
)]

#[doc(hidden)]
pub mod fuzzing;
mod layout;
mod mirror;
mod settings;
mod stored;

#[cfg(feature = "client")]
mod answer;
#[cfg(feature = "client")]
mod channels;
#[cfg(feature = "client")]
mod cluster;
#[cfg(feature = "client")]
mod commit;
#[cfg(feature = "client")]
mod directory;
#[cfg(feature = "client")]
mod follow;
#[cfg(feature = "client")]
mod store;
#[cfg(feature = "client")]
mod view;

#[cfg(feature = "client")]
pub use directory::{Contents, Directory};
pub use settings::{Settings, SettingsError, Tls};
#[cfg(feature = "client")]
pub use store::EtcdStore;
