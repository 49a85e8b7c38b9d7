//! OpenClaw *pairing* as pure decisions: which senders may talk to the bot, and which devices may connect.
//!
//! An unknown sender receives a code of eight characters, and none of their messages is processed until
//! the owner approves them. This crate holds all the rules for that: codes, expiry, the cap on pending
//! requests, allowlists, policies and lock-outs. It reads no clock, files, environment or randomness of
//! its own; the caller supplies all of them.
//!
//! - [`Pairing`] is the service that gateways embed and channel adapters call.
//! - [`PairingStore`] is the interface to the storage of its records. [`MemoryStore`] is included,
//!   `pairing-fs` uses the files of existing OpenClaw installs, and `pairing-conformance` tests other
//!   implementations.
//! - [`Approver`] is the identity that makes a decision; there is no default one.
//!
//! The feature `ed25519`, which is on unless turned off, verifies the keys of devices. A gateway that pairs senders
//! alone can do without it and its dependencies; then nothing proves a device, and none is admitted.

// What reads proofs has no callers then.
#![cfg_attr(not(feature = "ed25519"), allow(dead_code))]

mod approver;
mod audit;
mod bearer;
mod channel;
mod claim_code;
mod code;
pub mod device;
mod display;
mod dm;
mod entropy;
mod error;
mod ids;
mod meta;
mod principal;
mod scope;
mod service;
pub mod store;
mod time;
pub mod transfer;

pub use approver::{Approver, ApproverId, MissingScope, Via};
pub use audit::{AuditAction, AuditEvent, AuditSink, AuditSubject};
pub use bearer::{AuthenticatedBearer, NewBearer};
pub use channel::{AddChannelError, ChannelRules, Channels, Replies, Texts, fill_places};
pub use claim_code::{ClaimCode, ParseClaimCodeError};
pub use code::{PairingCode, ParseCodeError};
pub use device::{
    Challenge, Cidrs, DeviceId, DeviceKey, DeviceKeyError, InvalidField, ParseCidrError,
    ParseDeviceIdError, ParseTokenError, ParseTokenHashError, PayloadVersion, ProofError,
    ProvenDevice, SIGNATURE_TOLERANCE, SecretToken, SignedFields, TokenHash, canonical_ip,
    signed_token,
};
#[cfg(feature = "ed25519")]
pub use device::{Identity, ParseIdentityError};
pub use display::{Chain, Escaped, Quoted, escape, quoted};
pub use dm::{Access, ApprovedSender, Basis, DmPolicy, GroupSender, Limits, Refusal};
pub use entropy::{Entropy, EntropyError};
pub use error::Error;
pub use ids::{AccountId, ChannelId, NameError, SenderError, SenderId};
pub use meta::{Metadata, MetadataValue};
pub use principal::{ParsePrincipalError, Principal};
pub use scope::{ParseScopeError, Scope, ScopeSet};
pub use service::{
    Account, Admission, AdmitError, Allowed, AllowlistError, Approved, AttemptsLeft, BearerError,
    Bearers, BearersOff, Channel, ChannelError, ClaimError, Claimed, ConnectError, Connection,
    Created, DecisionError, DeviceError, DeviceList, Devices, Followed, Follower, InviteError,
    Invited, IssuedBearer, ListError, NodeList, Nodes, Pairing, PairingBuilder, Pending,
    RecordChange, RequestError, Requested, Reverted, Sender,
};
pub use store::{
    Key, MemoryStore, PairingStore, PendingRequest, Problem, Range, Record, StoreError,
};
pub use time::{Clock, ManualClock, ParseTimestampError, Timestamp};

pub(crate) use store::Change;

/// Compiles and runs the examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
