//! Devices: who they are, what they sign, the tokens they hold, and the codes that let them ask.

mod ids;
mod key;
mod node;
mod record;
mod role;
mod text;
mod token;

pub use ids::{NodeId, ParseIdError, RequestId};
pub use key::{DeviceId, DeviceKey, DeviceKeyError, ParseDeviceIdError};
pub use node::{Node, NodeInfo, NodeRequest};
pub use record::{
    ApprovedRole, Ask, Device, DeviceInfo, DeviceRequest, DeviceToken, PairingToken, SetupProfile,
};
pub use role::{ParseRoleError, Role};
pub use token::{ParseTokenError, ParseTokenHashError, SecretToken, TokenHash};
