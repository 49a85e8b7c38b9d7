//! Channels that are added to a running program.

use std::sync::{Arc, OnceLock};

use super::{ChannelRules, Channels};
use crate::ChannelId;

/// A list that only grows. Readers take no lock, and keep references for as long as they have the list.
#[derive(Debug, Default)]
pub(super) struct Added(OnceLock<Box<Entry>>);

#[derive(Debug)]
struct Entry {
    rules: Arc<ChannelRules>,
    rest: Added,
}

/// The channel was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddChannelError {
    /// There are rules for it already.
    #[error("the channel {channel} has rules already")]
    Known {
        /// The channel.
        channel: ChannelId,
    },
    /// Too many channels were added.
    #[error("at most {} channels can be added", Channels::MAX_ADDED)]
    Full,
}

impl Added {
    pub(super) fn add(&self, rules: ChannelRules) -> Result<(), AddChannelError> {
        let mut entry = Box::new(Entry {
            rules: Arc::new(rules),
            rest: Self::default(),
        });
        let mut end = self;
        for _ in 0..Channels::MAX_ADDED {
            // Where another thread was faster, its entry is compared like every other.
            let there = loop {
                match end.0.get() {
                    Some(there) => break there,
                    None => match end.0.set(entry) {
                        Ok(()) => return Ok(()),
                        Err(back) => entry = back,
                    },
                }
            };
            if there.rules.id == entry.rules.id {
                let channel = entry.rules.id.clone();
                return Err(AddChannelError::Known { channel });
            }
            end = &there.rest;
        }
        Err(AddChannelError::Full)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<ChannelRules>> {
        let first = self.0.get();
        std::iter::successors(first, |entry| entry.rest.0.get()).map(|entry| &entry.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str) -> ChannelRules {
        ChannelRules::new(ChannelId::parse(name).unwrap())
    }

    #[test]
    fn each_once_whoever_adds_it_and_no_more_than_the_bound() {
        let channels = Channels::builtin();
        let telegram = channels.add(rules("telegram")).unwrap_err();
        assert!(matches!(telegram, AddChannelError::Known { .. }));
        let added: usize = std::thread::scope(|scope| {
            let adding = || {
                let names = (0..Channels::MAX_ADDED).map(|n| format!("c{n}"));
                names
                    .filter(|name| channels.add(rules(name)).is_ok())
                    .count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(adding)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(added, Channels::MAX_ADDED);
        assert_eq!(channels.add(rules("more")), Err(AddChannelError::Full));
        let names: Vec<_> = channels.iter().map(|rules| rules.id().clone()).collect();
        assert!(names.is_sorted() && names.len() == Channels::MAX_ADDED + 8);
    }

    #[test]
    fn a_list_with_one_more_is_a_list_of_its_own() {
        let channels = Channels::builtin();
        channels.add(rules("irc")).unwrap();
        let other = channels.clone().with(rules("matrix"));
        channels.add(rules("later")).unwrap();
        let has = |channels: &Channels, name: &str| {
            channels.get(&ChannelId::parse(name).unwrap()).is_some()
        };
        assert!(has(&other, "irc") && has(&other, "matrix") && !has(&other, "later"));
        assert!(!has(&channels, "matrix"));
    }
}
