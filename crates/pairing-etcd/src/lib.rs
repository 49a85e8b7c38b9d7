#![cfg_attr(feature = "client", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "client"),
    doc = "The store of `pairing-core` on an etcd cluster. It is built with the feature `client`, which needs `protoc`; \
           without it, there are only the settings."
)]
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
