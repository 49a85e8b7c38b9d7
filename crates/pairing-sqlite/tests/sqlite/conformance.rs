//! Every case of the contract, on each store.

use pairing_conformance::{Fixture, conformance};
use pairing_sqlite::OwnStore;

mod own {
    use super::*;

    fn install() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        Fixture::new(move || OwnStore::open(&dir.path().join("pairing.sqlite")).unwrap())
    }

    conformance!(install());
}
