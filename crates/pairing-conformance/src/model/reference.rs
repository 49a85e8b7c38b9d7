//! The reference model: the expected behaviour, as briefly as possible.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::{PairingCode, Timestamp};

use super::command::{Command, Guess, Wait, Who};

const LIFETIME: i64 = 3_600_000;
const AT_MOST: usize = 3;

/// Everything that is, or should be, visible through a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) running: BTreeMap<Who, Request>,
    pub(super) allowed: BTreeSet<Who>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) code: PairingCode,
    pub(super) created: Timestamp,
}

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the code that was given to the sender.
    Created(Option<PairingCode>),
    Waiting(PairingCode),
    Full,
    AllowedAlready,
    Approved(Who),
    Rejected(Who),
    Allowed {
        anew: bool,
    },
    Revoked {
        was_in: bool,
    },
    Refused,
    TimePassed,
}

impl State {
    /// Applies a command at the time `now`. `drawn` is the code of a new request, which the model cannot
    /// predict.
    pub(super) fn apply(
        &mut self,
        command: &Command,
        now: Timestamp,
        drawn: Option<PairingCode>,
    ) -> Outcome {
        match command {
            Command::Ask(who) => self.ask(*who, now, drawn),
            Command::Approve(guess) => match self.found(guess) {
                Some(who) => {
                    self.running.remove(&who);
                    self.allowed.insert(who);
                    Outcome::Approved(who)
                }
                None => Outcome::Refused,
            },
            Command::Reject(guess) => match self.found(guess) {
                Some(who) => {
                    self.running.remove(&who);
                    Outcome::Rejected(who)
                }
                None => Outcome::Refused,
            },
            Command::RejectSender(who) => match self.running.remove(who) {
                Some(_) => Outcome::Rejected(*who),
                None => Outcome::Refused,
            },
            Command::Allow(who) => {
                self.running.remove(who);
                let anew = self.allowed.insert(*who);
                Outcome::Allowed { anew }
            }
            Command::Revoke(who) => {
                let was_in = self.allowed.remove(who);
                Outcome::Revoked { was_in }
            }
            Command::Wait(_) => {
                let age = |at: Timestamp| now.as_millis() - at.as_millis();
                self.running.retain(|_, r| age(r.created) < LIFETIME);
                Outcome::TimePassed
            }
        }
    }

    fn ask(&mut self, who: Who, now: Timestamp, drawn: Option<PairingCode>) -> Outcome {
        let here = |other: &&Who| other.channel == who.channel && other.account == who.account;
        if self.allowed.contains(&who) {
            Outcome::AllowedAlready
        } else if let Some(request) = self.running.get(&who) {
            Outcome::Waiting(request.code)
        } else if self.running.keys().filter(here).count() == AT_MOST {
            Outcome::Full
        } else {
            if let Some(code) = drawn.filter(|code| !self.codes(who.channel).contains(code)) {
                self.running.insert(who, Request { code, created: now });
            }
            Outcome::Created(drawn)
        }
    }

    /// Returns the codes of a channel's pending requests.
    pub(super) fn codes(&self, channel: usize) -> Vec<PairingCode> {
        let here = self
            .running
            .iter()
            .filter(|(who, _)| who.channel == channel);
        here.map(|(_, request)| request.code).collect()
    }

    /// Returns the sender whose pending request has the guessed code.
    fn found(&self, guess: &Guess) -> Option<Who> {
        let code = guess.code.choose(&self.codes(guess.channel));
        let meant = |who: &Who| {
            who.channel == guess.channel && guess.account.is_none_or(|at| at == who.account)
        };
        let found = self.running.iter().filter(|(_, r)| r.code == code);
        found.map(|(who, _)| *who).find(meant)
    }

    /// Returns the length of a wait, in milliseconds.
    pub(super) fn millis(&self, wait: &Wait, now: Timestamp) -> u64 {
        let millis = match wait {
            Wait::Millis(millis) => *millis,
            Wait::End { of, offset } => {
                let running = self.running.values();
                let request = running.cycle().nth(*of);
                let left = |r: &Request| r.created.as_millis() + LIFETIME - now.as_millis();
                request.map_or(0, left) + offset
            }
        };
        u64::try_from(millis).unwrap_or(0)
    }
}
