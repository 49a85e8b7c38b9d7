//! Random commands against a reference model: a property test for every store.
//!
//! Strangers send requests and the owner decides, through several handles, while time passes and processes
//! crash in the middle of an operation. After every command the state must match the model:
//!
//! - at most three requests are pending per channel and account, each until its last millisecond and no
//!   longer;
//! - codes are unique within a channel, and a request is approved at most once;
//! - an allowed sender stays allowed until revoked, and no longer;
//! - an operation cut off by a crash has happened entirely or not at all, and an acknowledged one has
//!   happened.
//!
//! ```
//! use pairing_conformance::{Fixture, model};
//! use pairing_core::MemoryStore;
//!
//! model::check(8, |setting| {
//!     model::AtOnce::new(setting, Fixture::shared(MemoryStore::new()))
//! });
//! ```

mod command;
mod drive;
mod reference;
mod world;

use std::sync::Arc;

use pairing_core::{Channels, Entropy, EntropyError, Limits, ManualClock, Pairing, PairingStore};
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

pub use world::{AtOnce, World};

use crate::fixture::{at, seeded};

/// Runs `cases` sequences of random commands, each in a world of its own.
///
/// # Panics
///
/// Panics if a world deviates from the model, and shows the shortest sequence found that proves it.
pub fn check<W: World>(cases: u32, make: impl Fn(Setting) -> W) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(any::<u64>(), command::steps()), |(seed, steps)| {
        let setting = Setting::new(seed);
        drive::drive(&mut make(setting.clone()), &setting.clock, &steps)
    });
    if let Err(violation) = result {
        panic!("{violation}");
    }
}

/// The clock and entropy of one world.
#[derive(Clone)]
pub struct Setting {
    clock: Arc<ManualClock>,
    entropy: Arc<dyn Entropy>,
}

impl Setting {
    fn new(seed: u64) -> Self {
        Self {
            clock: Arc::new(ManualClock::new(at(0))),
            entropy: Arc::new(FewCodes(seeded(seed))),
        }
    }

    /// Returns a service on the store, with this setting's clock and entropy.
    pub fn pairing(&self, store: impl PairingStore + 'static) -> Pairing {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let (channels, limits) = (Channels::builtin(), Limits::default());
        Pairing::with(store, clock, entropy, channels, limits)
    }
}

/// Entropy that draws one of 32 codes, so that codes collide and guesses hit.
struct FewCodes<E>(E);

impl<E: Entropy> Entropy for FewCodes<E> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut drawn = [0];
        self.0.fill(&mut drawn)?;
        bytes.fill(drawn[0]);
        Ok(())
    }
}
