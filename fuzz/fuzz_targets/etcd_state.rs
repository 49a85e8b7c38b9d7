//! What somebody has written under our keys of a cluster: it is taken in, and nothing is read that is not there.

target!(|text: &str| pairing_etcd::fuzzing::state(text));
