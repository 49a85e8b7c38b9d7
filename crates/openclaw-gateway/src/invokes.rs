//! Invocations that nodes have not answered yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_protocol::invoke::InvokeResult;
use tokio::sync::oneshot;

/// Invocations in progress, by id. Each may be answered by one session only.
#[derive(Debug, Default)]
pub(crate) struct Invokes(Mutex<HashMap<String, Waiting>>);

#[derive(Debug)]
struct Waiting {
    session: u64,
    answer: oneshot::Sender<InvokeResult>,
}

/// An invocation in progress. Dropping this forgets it.
#[derive(Debug)]
pub(crate) struct OnItsWay<'i> {
    invokes: &'i Invokes,
    id: String,
    answer: oneshot::Receiver<InvokeResult>,
}

impl Invokes {
    /// Begins an invocation that this session may answer.
    pub(crate) fn expect(&self, id: String, session: u64) -> OnItsWay<'_> {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            session,
            answer: sender,
        };
        self.waiting().insert(id.clone(), waiting);
        OnItsWay {
            invokes: self,
            id,
            answer,
        }
    }

    /// Passes on an answer. Returns `false` if nobody waits for it, or another session would have to give it.
    pub(crate) fn answer(&self, session: u64, result: InvokeResult) -> bool {
        let mut waiting = self.waiting();
        let is_its_own = waiting
            .get(result.id.as_str())
            .is_some_and(|waiting| waiting.session == session);
        let found = is_its_own
            .then(|| waiting.remove(result.id.as_str()))
            .flatten();
        drop(waiting);
        found.is_some_and(|waiting| waiting.answer.send(result).is_ok())
    }

    /// Forgets the invocations of a session that has ended, and wakes those who wait for them.
    pub(crate) fn forget(&self, session: u64) {
        self.waiting()
            .retain(|_, waiting| waiting.session != session);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnItsWay<'_> {
    /// Waits for the answer; `None` if the node has gone.
    pub(crate) async fn answer(&mut self) -> Option<InvokeResult> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.invokes.waiting().remove(&self.id);
    }
}
