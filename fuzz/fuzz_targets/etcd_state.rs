//! What somebody has written under our keys of a cluster: it is taken in, and nothing is read that is not there.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| pairing_etcd::fuzzing::state(text));
