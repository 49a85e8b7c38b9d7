//! Faults that are reported when they occur, because nothing can be looked at to find them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is at fault, as [health](crate::health) names it, and why, escaped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reported(Arc<Mutex<BTreeMap<Fault, String>>>);

/// The faults that are reported. There is one of each kind, so that they are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The new configuration cannot be read: the former one stays in effect.
    Configuration,
    /// Its settings of the gateway cannot be used: only those of channels changed.
    Settings,
    /// Changes of the configuration are not noticed.
    Watch,
    /// A renewed certificate would not be noticed.
    CertificateWatch,
    /// A task of the gateway has ended, although it should never.
    Task(&'static str),
}

impl Fault {
    /// The part and its name.
    pub(crate) fn named(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Configuration => ("configuration", None),
            Self::Settings => ("configuration", Some("gateway")),
            Self::Watch => ("configuration", Some("changes")),
            Self::CertificateWatch => ("certificate", Some("renewal")),
            Self::Task(name) => ("tasks", Some(name)),
        }
    }

    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Configuration | Self::Settings => {
                "mend it by hand: `openclaw doctor` finds what else is wrong"
            }
            Self::Watch | Self::CertificateWatch => {
                "restart the gateway after a change; on Linux, see whether fs.inotify.max_user_watches and \
                 max_user_instances are too low"
            }
            Self::Task(_) => "restart the gateway, and report the error in its log",
        }
    }
}

impl Reported {
    /// Reports a fault, or with `None` that there is none.
    pub(crate) fn note(&self, fault: Fault, why: Option<String>) {
        match why {
            Some(why) => drop(self.faults().insert(fault, why)),
            None => drop(self.faults().remove(&fault)),
        }
    }

    /// The faults, and why.
    pub(crate) fn get(&self) -> BTreeMap<Fault, String> {
        self.faults().clone()
    }

    /// Runs a task that should end with the gateway alone. Its end, also by a panic, is reported.
    pub(crate) fn task(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let ends = Ends(self.clone(), name);
        async move {
            let _ends = ends;
            task.await;
        }
    }

    fn faults(&self) -> MutexGuard<'_, BTreeMap<Fault, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the end of a task.
struct Ends(Reported, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        let why = "it has ended by an error of the program".to_owned();
        self.0.note(Fault::Task(self.1), Some(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_a_fault() {
        let reported = Reported::default();
        let runs = tokio::spawn(reported.task("tick", std::future::pending()));
        let panics = tokio::spawn(reported.task("upkeep", async { panic!("as the test asks") }));
        assert!(panics.await.is_err());
        let faults: Vec<_> = reported.get().into_keys().collect();
        assert_eq!(faults, [Fault::Task("upkeep")]);
        runs.abort();
    }
}
