//! Devices: who they are, what they sign, the tokens they hold, and the codes that let them ask.

mod key;
mod payload;
mod proof;
mod text;
mod token;

pub use key::{DeviceId, DeviceKey, DeviceKeyError, ParseDeviceIdError};
pub use payload::{InvalidField, PayloadVersion, SignedFields, signed_token};
pub use proof::{Challenge, ProofError, ProvenDevice, SIGNATURE_TOLERANCE};
pub use token::{ParseTokenError, ParseTokenHashError, SecretToken, TokenHash};
