//! Devices: who they are, what they sign, the tokens they hold, and the codes that let them ask.

mod cidr;
mod gateway_url;
mod identity;
mod json;
mod key;
mod payload;
mod proof;
mod setup_code;
mod text;
mod token;

pub use cidr::{Cidrs, ParseCidrError, canonical_ip};
pub use gateway_url::{GatewayUrl, GatewayUrlError};
pub use identity::{Identity, ParseIdentityError};
pub use key::{DeviceId, DeviceKey, DeviceKeyError, ParseDeviceIdError};
pub use payload::{InvalidField, PayloadVersion, SignedFields, signed_token};
pub use proof::{Challenge, ProofError, ProvenDevice, SIGNATURE_TOLERANCE};
pub use setup_code::{SetupCode, SetupCodeError};
pub use token::{ParseTokenError, ParseTokenHashError, SecretToken, TokenHash};
