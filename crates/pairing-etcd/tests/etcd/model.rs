//! Random commands, time passing and crashes against the reference model.

use pairing_conformance::{Fixture, model};
use pairing_etcd::EtcdStore;

use crate::members::Members;

#[test]
fn the_model_agrees() {
    let members = Members::start(1);
    model::check(24, |setting| {
        let settings = members.settings();
        // These see each other's commits at once.
        let fixture = Fixture::new(move || EtcdStore::direct(&settings).unwrap());
        model::AtOnce::new(setting, fixture)
    });
}
