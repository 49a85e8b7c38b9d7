//! Random commands, passing time and crashes, compared with the reference model.

use pairing_conformance::{Faulty, Fixture, model};
use pairing_core::MemoryStore;

#[test]
fn the_model_agrees() {
    model::check(256, |setting| {
        model::AtOnce::new(setting, Fixture::shared(MemoryStore::new()))
    });
}

#[test]
fn the_model_agrees_whatever_conflicts_there_are() {
    model::check(64, |setting| {
        let store = Faulty::new(MemoryStore::new()).spurious_conflicts(1, 3);
        model::AtOnce::new(setting, Fixture::shared(store))
    });
}
