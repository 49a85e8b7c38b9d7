//! The system under test that the commands act upon.

use std::sync::{Arc, Mutex};

use pairing_core::{Pairing, PairingStore};

use super::Setting;
use crate::faulty::{Fault, Faulty, Operation};
use crate::fixture::Fixture;

/// A state with several handles on it, and a way to simulate crashes.
///
/// Created from a [`Setting`]; its services come from [`Setting::pairing`].
pub trait World {
    /// Returns one of the handles, counted from 0. The next read through it must see everything committed
    /// through any of them: if the store sees that only a little later, this call waits for it.
    fn pairing(&mut self, handle: usize) -> Pairing;

    /// Schedules a crash: `steps` more steps happen, in the store's own sense of a step, and then none. Every
    /// operation fails then, as if every process had been killed at that point.
    fn crash_after(&mut self, steps: usize);

    /// Ends what [`crash_after`](Self::crash_after) began and opens the handles anew; returns whether
    /// the crash has happened.
    ///
    /// If the store finishes half-done changes at its next write, this must make it do so.
    fn recover(&mut self) -> bool;
}

/// A world for any store, which crashes only before and after whole operations.
pub struct AtOnce {
    setting: Setting,
    fixture: Fixture,
    handles: Vec<Option<Pairing>>,
    crash: Arc<Mutex<Crash>>,
}

/// The steps left before the crash, and whether it has happened.
#[derive(Debug, Default)]
struct Crash {
    steps_left: Option<usize>,
    happened: bool,
}

impl AtOnce {
    /// Returns a world on the fixture's state.
    ///
    /// The handles of the fixture must see each other's commits at once.
    pub fn new(setting: Setting, fixture: Fixture) -> Self {
        Self {
            setting,
            fixture,
            handles: Vec::new(),
            crash: Arc::default(),
        }
    }

    fn open(&self) -> Pairing {
        let store: Faulty<Arc<dyn PairingStore>> = Faulty::new(self.fixture.open());
        let crash = self.crash.clone();
        store.arm(move |operation| crash.lock().unwrap().meets(operation));
        self.setting.pairing(store)
    }
}

impl Crash {
    /// Counts one step for the start of an operation and, for a commit, another for reporting its result.
    fn meets(&mut self, operation: Operation) -> Option<Fault> {
        if self.is_here() {
            return Some(Fault::Before);
        }
        (operation == Operation::Commit && self.is_here()).then_some(Fault::After)
    }

    fn is_here(&mut self) -> bool {
        match &mut self.steps_left {
            Some(0) => self.happened = true,
            Some(steps) => *steps -= 1,
            None => {}
        }
        self.happened
    }
}

impl World for AtOnce {
    fn pairing(&mut self, handle: usize) -> Pairing {
        if self.handles.len() <= handle {
            self.handles.resize(handle + 1, None);
        }
        let pairing = self.handles[handle].take().unwrap_or_else(|| self.open());
        self.handles[handle].insert(pairing).clone()
    }

    fn crash_after(&mut self, steps: usize) {
        self.crash.lock().unwrap().steps_left = Some(steps);
    }

    fn recover(&mut self) -> bool {
        let crash = std::mem::take(&mut *self.crash.lock().unwrap());
        if crash.happened {
            self.handles.clear();
        }
        crash.happened
    }
}
