//! What the commands act upon.

use std::sync::{Arc, Mutex};

use pairing_core::{Pairing, PairingStore};

use super::Setting;
use crate::faulty::{Fault, Faulty, Operation};
use crate::fixture::Fixture;

/// A state with several handles on it, and a way to crash.
///
/// Made from a [`Setting`]; its services come from [`Setting::pairing`].
pub trait World {
    /// One of the handles, counted from 0. The next read through it sees whatever has been committed
    /// through any of them: where a store sees that a little later, this waits for it.
    fn pairing(&mut self, handle: usize) -> Pairing;

    /// From now on `steps` more steps happen, whatever a step is to the store, and then none, as if
    /// every process had been killed there: every operation fails.
    fn crash_after(&mut self, steps: usize);

    /// Ends what [`crash_after`](Self::crash_after) began and opens the handles anew; returns whether
    /// it has crashed.
    ///
    /// Where a store finishes what was left half done with its next write, it is made to do that here.
    fn recover(&mut self) -> bool;
}

/// The world of any store, crashing before and after whole operations.
pub struct AtOnce {
    setting: Setting,
    fixture: Fixture,
    handles: Vec<Option<Pairing>>,
    crash: Arc<Mutex<Crash>>,
}

/// How far a crash is away.
#[derive(Debug, Default)]
struct Crash {
    steps_left: Option<usize>,
    happened: bool,
}

impl AtOnce {
    /// A world on the fixture's state.
    ///
    /// Handles of the fixture have to see each other's commits at once.
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
    /// One step to begin an operation and, for a commit, one to tell of it.
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
