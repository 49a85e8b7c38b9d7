//! Every case of the contract, on each store.

use pairing_conformance::{Fixture, conformance};
use pairing_sqlite::OwnStore;

use crate::install::Install;

mod own {
    use super::*;

    fn install() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        Fixture::new(move || OwnStore::open(&dir.path().join("pairing.sqlite")).unwrap())
    }

    conformance!(install());
}

mod openclaw {
    use super::*;

    fn on_an_empty_database() -> Fixture {
        let install = Install::empty();
        Fixture::new(move || install.open())
    }

    conformance!(on_an_empty_database());
}
