#![doc = include_str!("../README.md")]

mod adapter;
mod backoff;
mod boxed;
#[cfg(feature = "child")]
pub mod child;
mod handle;
#[cfg(feature = "http")]
pub mod http;
mod inbound;
mod inbox;
mod login;
#[cfg(feature = "http")]
mod multipart;
mod outgoing;
#[cfg(any(feature = "http", feature = "ws"))]
pub mod proxy;
mod recent;
mod saved;
#[cfg(feature = "seen")]
mod seen;
mod status;
mod stop;
mod text;
mod webhook;
#[cfg(feature = "ws")]
pub mod ws;

pub use adapter::{Abilities, Adapter, ProbeError, Probed, SendError};
pub use backoff::Backoff;
pub use boxed::BoxFuture;
pub use handle::{Handle, PhoneNumber, PhoneNumberError};
pub use inbound::{Inbound, Incoming, Pressed};
pub use inbox::{Inbox, Received, Slot};
pub use login::{Linked, LoggedOut, Login, LoginCode, LoginError, LoginStep, LogoutError};
#[cfg(feature = "http")]
pub use multipart::Form;
pub use outgoing::{Button, MessageId, Outgoing, Target};
pub use recent::Recent;
pub use saved::{InMemory, SaveError, SavedText, mark};
#[cfg(feature = "seen")]
pub use seen::Seen;
pub use status::{Connection, Status, StatusCell};
pub use stop::{Stop, StopSender};
pub use text::{TextLimit, first_bytes};
pub use webhook::{Delivery, Verification, Webhook, WebhookHead, WebhookPath, WebhookPathError};
