//! Runs the commands and compares their outcomes with the model.

use std::time::Duration;

use pairing_core::store::PendingRequest;
use pairing_core::{
    Account, Approver, Channel, Clock, DecisionError, ManualClock, Pairing, PairingCode, Requested,
};
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::test_runner::TestCaseError;

use super::World;
use super::command::{ACCOUNTS, CHANNELS, Command, Guess, SENDERS, Step, Who};
use super::reference::{Outcome, Request, State};

/// An error that leaves a command without an outcome, because the store failed.
type Failure = Box<dyn std::error::Error>;

pub(super) fn drive(
    world: &mut impl World,
    clock: &ManualClock,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut state = State::default();
    for step in steps {
        if let Command::Wait(wait) = &step.command {
            let millis = state.millis(wait, clock.now());
            clock.advance(Duration::from_millis(millis));
        }
        let service = world.pairing(step.handle);
        if let Some(steps) = step.crash_after {
            world.crash_after(steps);
        }
        let result = perform(&service, &step.command, &state);
        drop(service);
        let crashed = world.recover();
        let seen = observe(&world.pairing(step.handle))
            .map_err(|error| TestCaseError::fail(format!("cannot be read: {error:?}")))?;
        let before = state.clone();
        let expected = state.apply(&step.command, clock.now(), new_code(&step.command, &seen));
        match result {
            Ok(outcome) => {
                prop_assert_eq!(outcome, expected, "{:?}", step);
                prop_assert_eq!(&seen, &state, "after {:?}", step);
            }
            Err(error) => {
                prop_assert!(crashed, "{:?} failed: {:?}", step, error);
                let whole = seen == state || seen == before;
                prop_assert!(whole, "{:?} happened in part: {:#?}", step, seen);
                state = seen;
            }
        }
    }
    Ok(())
}

/// Returns the code of the request that a command may have created.
fn new_code(command: &Command, seen: &State) -> Option<PairingCode> {
    match command {
        Command::Ask(who) => seen.running.get(who).map(|request| request.code),
        _ => None,
    }
}

fn perform(service: &Pairing, command: &Command, state: &State) -> Result<Outcome, Failure> {
    let owner = Approver::terminal("ann");
    Ok(match command {
        Command::Ask(who) => match account(service, *who).request_or_reuse(SENDERS[who.sender])? {
            Requested::Created(created) => Outcome::Created(Some(created.request.code)),
            Requested::Pending(request) => Outcome::Waiting(request.code),
            Requested::Full => Outcome::Full,
            Requested::Allowed(_) => Outcome::AllowedAlready,
            other => return Err(format!("{other:?}").into()),
        },
        Command::Approve(guess) => {
            let code = guess.code.choose(&state.codes(guess.channel));
            let approved = match at(service, guess) {
                (channel, None) => channel.approve(code.as_str(), &owner),
                (_, Some(account)) => account.approve(code.as_str(), &owner),
            };
            decided(approved.map(|approved| approved.request), Outcome::Approved)?
        }
        Command::Reject(guess) => {
            let code = guess.code.choose(&state.codes(guess.channel));
            let rejected = match at(service, guess) {
                (channel, None) => channel.reject(code.as_str(), &owner),
                (_, Some(account)) => account.reject(code.as_str(), &owner),
            };
            decided(rejected, Outcome::Rejected)?
        }
        Command::RejectSender(who) => {
            let rejected = account(service, *who).reject(SENDERS[who.sender], &owner);
            decided(rejected, Outcome::Rejected)?
        }
        Command::Allow(who) => {
            let anew = account(service, *who).allow(SENDERS[who.sender], &owner)?;
            Outcome::Allowed { anew }
        }
        Command::Revoke(who) => {
            let revoked = account(service, *who).revoke(SENDERS[who.sender], &owner)?;
            let was_in = revoked.is_some();
            Outcome::Revoked { was_in }
        }
        Command::Wait(_) => Outcome::TimePassed,
    })
}

/// Converts the result of a decision. One that found nothing is an outcome; a failure of the store is not.
fn decided(
    result: Result<PendingRequest, DecisionError>,
    outcome: impl Fn(Who) -> Outcome,
) -> Result<Outcome, Failure> {
    match result {
        Ok(request) => Ok(outcome(who(&request))),
        Err(
            DecisionError::NotFound { .. }
            | DecisionError::Expired { .. }
            | DecisionError::OtherAccount { .. },
        ) => Ok(Outcome::Refused),
        Err(error) => Err(error.into()),
    }
}

/// Reads everything that a service shows of its state.
fn observe(service: &Pairing) -> Result<State, Failure> {
    let mut state = State::default();
    for (channel, account) in places() {
        let place = Who {
            channel,
            account,
            sender: 0,
        };
        let gate = self::account(service, place);
        let pending = gate.pending()?.requests;
        let requests = pending.len();
        for request in pending {
            let created = request.created_at.ok_or("without a time")?;
            let code = request.code;
            state
                .running
                .insert(who(&request), Request { code, created });
        }
        let entries = gate.allowed()?.entries;
        let listed: Vec<_> = entries.iter().map(|entry| entry.entry.as_str()).collect();
        for (sender, id) in SENDERS.iter().enumerate() {
            let allowed = gate.is_allowed(id)?;
            if allowed != listed.contains(id) {
                return Err(format!("listed: {listed:?}, yet {id} is allowed: {allowed}").into());
            }
            if allowed {
                state.allowed.insert(Who { sender, ..place });
            }
        }
        if requests > 3 || listed.len() > SENDERS.len() {
            return Err(format!("{requests} requests, {} entries", listed.len()).into());
        }
    }
    for channel in 0..CHANNELS.len() {
        let mut codes = state.codes(channel);
        codes.sort_unstable();
        if codes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two requests have the same code".into());
        }
    }
    Ok(state)
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..CHANNELS.len()).flat_map(|channel| (0..ACCOUNTS.len()).map(move |at| (channel, at)))
}

fn account(service: &Pairing, who: Who) -> Account {
    let channel = service.channel(CHANNELS[who.channel]).unwrap();
    channel.account(ACCOUNTS[who.account]).unwrap()
}

fn at(service: &Pairing, guess: &Guess) -> (Channel, Option<Account>) {
    let channel = service.channel(CHANNELS[guess.channel]).unwrap();
    let account = guess
        .account
        .map(|at| channel.account(ACCOUNTS[at]).unwrap());
    (channel, account)
}

/// Returns the sender of a request, as indexes into the lists.
fn who(request: &PendingRequest) -> Who {
    let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name).unwrap();
    Who {
        channel: place(&CHANNELS, request.channel.as_str()),
        account: place(&ACCOUNTS, request.account.as_str()),
        sender: place(&SENDERS, request.sender.as_str()),
    }
}
