//! Requests to `imsg rpc`: each is answered by its number, in any order, within a time limit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{ProbeError, Probed};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::frame::Refusal;

/// The number of requests that may wait for an answer.
const MOST: usize = 64;

/// A request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The program refuses it.
    #[error("{method}: {}", .refusal.message)]
    Refused {
        method: &'static str,
        refusal: Refusal,
    },
    /// The program does not run now.
    #[error("{method}: imsg does not run")]
    Away { method: &'static str },
    /// The program ended before it answered.
    #[error("{method}: imsg ended before it answered")]
    Ended { method: &'static str },
    /// There was no answer in time.
    #[error("{method}: imsg does not answer")]
    Silent { method: &'static str },
    /// Too many requests wait already.
    #[error("{method}: {MOST} requests wait for imsg already")]
    Busy { method: &'static str },
}

impl CallError {
    /// Whether the program may have done it.
    pub(crate) fn may_be_done(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Silent { .. })
    }
}

type Outcome = Result<Value, Refusal>;

/// The requests of an account, to whichever child runs.
#[derive(Default)]
pub(crate) struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    /// Counts requests, over all children: a late answer is never taken for another one.
    last: u64,
    /// Lines for the child that runs.
    lines: Option<mpsc::Sender<String>>,
    waiting: HashMap<u64, oneshot::Sender<Outcome>>,
}

/// Forgets a request that nobody waits for any more.
struct Waiting<'c> {
    calls: &'c Calls,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.calls.state().waiting.remove(&self.id);
    }
}

impl Calls {
    /// Begins with a child: returns the lines that are to be written to it.
    pub(crate) fn open(&self) -> mpsc::Receiver<String> {
        let (lines, written) = mpsc::channel(MOST);
        self.state().lines = Some(lines);
        written
    }

    /// Ends with a child: what waits for it has failed.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.lines = None;
        state.waiting.clear();
    }

    /// Hands an answer to its request; an answer that nobody waits for is left out.
    pub(crate) fn answered(&self, id: u64, outcome: Outcome) {
        let waiting = self.state().waiting.remove(&id);
        if let Some(waiting) = waiting {
            // Its caller may have given up just now.
            let _ = waiting.send(outcome);
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        let (waiting, answer) = {
            let mut state = self.state();
            let Some(lines) = state.lines.clone() else {
                return Err(CallError::Away { method });
            };
            if state.waiting.len() >= MOST {
                return Err(CallError::Busy { method });
            }
            state.last += 1;
            let id = state.last;
            let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            match lines.try_send(format!("{request}\n")) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => return Err(CallError::Busy { method }),
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    return Err(CallError::Away { method });
                }
            }
            let (tell, answer) = oneshot::channel();
            state.waiting.insert(id, tell);
            (Waiting { calls: self, id }, answer)
        };
        let outcome = timeout(within, answer).await;
        drop(waiting);
        match outcome {
            Ok(Ok(outcome)) => outcome.map_err(|refusal| CallError::Refused { method, refusal }),
            Ok(Err(_)) => Err(CallError::Ended { method }),
            Err(_) => Err(CallError::Silent { method }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks whether the child still answers, whatever it answers. One that has ended is noticed by that.
pub(crate) async fn answers(calls: &Calls, within: Duration) -> Result<(), CallError> {
    let asked = calls.call("chats.list", json!({ "limit": 1 }), within);
    match asked.await {
        Err(error @ CallError::Silent { .. }) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Asks whether Messages can be read.
pub(crate) async fn probe(calls: &Calls, within: Duration) -> Result<Probed, ProbeError> {
    let asked = calls
        .call("chats.list", json!({ "limit": 1 }), within)
        .await;
    match asked {
        Ok(_) => Ok(Probed::default()),
        Err(error) => Err(ProbeError::of(
            &error,
            matches!(error, CallError::Refused { .. }),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn answers_in_any_order_and_those_that_never_come() {
        let calls = Arc::new(Calls::default());
        let ask = |within| {
            let calls = Arc::clone(&calls);
            async move { calls.call("send", json!({}), within).await }
        };
        let method = "send";
        assert_eq!(ask(NEVER).await, Err(CallError::Away { method }));
        let mut lines = calls.open();
        let first = tokio::spawn(ask(NEVER));
        let line = lines.recv().await.unwrap();
        assert!(
            line.starts_with('{') && line.ends_with("}\n") && line.contains("\"id\":1"),
            "{line}"
        );
        let second = tokio::spawn(ask(NEVER));
        lines.recv().await.unwrap();
        calls.answered(7, Ok(json!("nobody's")));
        calls.answered(2, Ok(json!("second")));
        calls.answered(1, Ok(json!("first")));
        assert_eq!(second.await.unwrap(), Ok(json!("second")));
        assert_eq!(first.await.unwrap(), Ok(json!("first")));
        // The time limit passes, and what waited is forgotten.
        let error = ask(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error, CallError::Silent { method });
        assert!(error.may_be_done() && calls.state().waiting.is_empty());
        lines.recv().await.unwrap();
        let cut_off = tokio::spawn(ask(NEVER));
        lines.recv().await.unwrap();
        calls.close();
        assert_eq!(cut_off.await.unwrap(), Err(CallError::Ended { method }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_that_reads_nothing_is_not_given_more_and_more() {
        let calls = Arc::new(Calls::default());
        let _lines = calls.open();
        let asked: Vec<_> = (0..MOST)
            .map(|_| {
                let calls = Arc::clone(&calls);
                tokio::spawn(async move { calls.call("send", json!({}), NEVER).await })
            })
            .collect();
        while calls.state().waiting.len() < MOST {
            tokio::task::yield_now().await;
        }
        let error = calls.call("send", json!({}), NEVER).await.unwrap_err();
        assert_eq!(error, CallError::Busy { method: "send" });
        assert!(!error.may_be_done());
        for task in asked {
            task.abort();
        }
    }
}
