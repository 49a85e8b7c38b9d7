//! `devices/paired.json`: read whatever is in it, and changed no further than it has to be; no token in clear is
//! ever written.

use pairing_fs::fuzzing::Format;
use pairing_fuzz::registry::{device, rewriting};

target!(|text: &str| {
    rewriting(Format::Devices, text, &device());
});
