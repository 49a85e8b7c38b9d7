//! `devices/pending.json`: read whatever is in it, and changed no further than it has to be; no token in clear is
//! ever written.

use pairing_fs::fuzzing::Format;
use pairing_fuzz::registry::{device_request, rewriting};

target!(|text: &str| {
    rewriting(Format::DeviceRequests, text, &device_request());
});
