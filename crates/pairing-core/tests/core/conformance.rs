//! The test cases that every store runs, on the reference store and on the wrapper that injects faults.

use pairing_conformance::{Faulty, Fixture, conformance};
use pairing_core::MemoryStore;

mod memory {
    use super::*;

    conformance!(Fixture::shared(MemoryStore::new()));
}

mod faulty_but_calm {
    use super::*;

    conformance!(Fixture::shared(Faulty::new(MemoryStore::new())));
}

mod faulty_with_spurious_conflicts {
    use super::*;

    conformance!(service: Fixture::shared(Faulty::new(MemoryStore::new()).spurious_conflicts(1, 2)));
}
