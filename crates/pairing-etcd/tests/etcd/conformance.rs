//! Every case of the contract, on one member and on three.

use std::sync::LazyLock;

use pairing_conformance::{Fixture, conformance};
use pairing_etcd::EtcdStore;

use crate::members::Members;

fn install(members: &'static LazyLock<Members>) -> Fixture {
    let settings = members.settings();
    Fixture::new(move || EtcdStore::open(&settings).unwrap())
}

mod one {
    use super::*;

    static MEMBERS: LazyLock<Members> = LazyLock::new(|| Members::start(1));

    conformance!(install(&MEMBERS));
}

mod three {
    use super::*;

    static MEMBERS: LazyLock<Members> = LazyLock::new(|| Members::start(3));

    conformance!(install(&MEMBERS));
}

/// A handle that follows nobody asks the cluster each time, and keeps the contract all the same.
mod direct {
    use super::*;

    static MEMBERS: LazyLock<Members> = LazyLock::new(|| Members::start(1));

    fn directly() -> Fixture {
        let settings = MEMBERS.settings();
        Fixture::new(move || EtcdStore::direct(&settings).unwrap())
    }

    conformance!(directly());
}
