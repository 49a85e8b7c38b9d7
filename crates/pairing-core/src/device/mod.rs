//! Devices: their identities, the payloads that they sign, their tokens, and setup codes.

mod asking;
mod bounds;
mod cidr;
mod connect;
mod connecting;
mod decide;
mod grant;
#[cfg(feature = "ed25519")]
mod identity;
mod ids;
mod key;
mod limits;
#[cfg(feature = "ed25519")]
mod message;
mod node;
pub(crate) mod nodes;
mod payload;
mod proof;
mod record;
mod role;
mod standing;
mod surface;
mod text;
mod token;

pub use asking::Asked;
pub use cidr::{Cidrs, ParseCidrError, canonical_ip};
pub use connect::MintedToken;
pub use connecting::{
    AskError, AuthenticatedDevice, AutoApprove, Connecting, Credential, CredentialError, Silence,
};
pub use decide::Rotated;
#[cfg(feature = "ed25519")]
pub use identity::{Identity, ParseIdentityError};
pub use ids::{NodeId, ParseIdError, RequestId};
pub use key::{DeviceId, DeviceKey, DeviceKeyError, ParseDeviceIdError};
pub use limits::DeviceLimits;
pub use node::{Node, NodeInfo, NodeRequest};
pub use nodes::{NodeApproved, NodeAsked};
pub use payload::{InvalidField, PayloadVersion, SignedFields, signed_token};
pub use proof::{Challenge, ProofError, ProvenDevice, SIGNATURE_TOLERANCE};
pub use record::{
    ApprovedRole, Ask, Device, DeviceInfo, DeviceRequest, DeviceToken, PairingToken, SetupProfile,
};
pub use role::{ParseRoleError, Role};
pub use standing::UpgradeReason;
pub use surface::is_command;
pub use token::{ParseTokenError, ParseTokenHashError, SecretToken, TokenHash};

pub(crate) use asking::{Asking, ask_for_scopes, hold};
pub(crate) use connect::{Connected, Drawn, Known, Scene, authenticate, decide, renew};
pub(crate) use decide::{approve, reject, remove, revoke, rotate};
