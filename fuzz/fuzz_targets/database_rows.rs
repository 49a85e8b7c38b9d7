//! What another program has written into the rows of its database: what is read of it, is read again once it
//! was written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| pairing_sqlite::fuzzing::rows(text));
