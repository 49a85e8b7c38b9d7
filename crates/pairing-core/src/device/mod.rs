//! Devices: who they are, what they sign, the tokens they hold, and the codes that let them ask.

mod key;
mod text;
mod token;

pub use key::{DeviceId, DeviceKey, DeviceKeyError, ParseDeviceIdError};
pub use token::{ParseTokenError, ParseTokenHashError, SecretToken, TokenHash};
