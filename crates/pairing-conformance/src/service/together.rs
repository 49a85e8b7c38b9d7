//! Several callers at the same time, each with its own handle.

use std::collections::HashSet;
use std::sync::Barrier;

use pairing_core::{Account, DecisionError, Requested};

use crate::Fixture;
use crate::bot::{Bot, allowlist, assert_locked_out, create, owner, waiting};
use crate::fixture::operator;

/// Runs `act` once per handle, all at the same time, and collects the results.
pub(super) fn at_once<T: Send>(
    (bot, fixture): (&Bot, &Fixture),
    times: u64,
    act: impl Fn(u64, Account) -> T + Sync,
) -> Vec<T> {
    let accounts: Vec<_> = (0..times)
        .map(|n| (n, bot.another(fixture, 100 + n).telegram()))
        .collect();
    let ready = Barrier::new(accounts.len());
    std::thread::scope(|threads| {
        let running: Vec<_> = accounts
            .into_iter()
            .map(|(n, account)| {
                let (act, ready) = (&act, &ready);
                threads.spawn(move || {
                    ready.wait();
                    act(n, account)
                })
            })
            .collect();
        running.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

pub(crate) fn three_of_many_strangers_get_a_code(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let requested = at_once((&bot, fixture), 6, |n, account| {
        account.request_or_reuse(n.to_string()).unwrap()
    });
    let created = |r: &&_| matches!(r, Requested::Created(_));
    assert_eq!(requested.iter().filter(created).count(), 3);
    let account = bot.another(fixture, 2).telegram();
    assert_eq!(waiting(&account).len(), 3);
    let codes = account.pending().unwrap().requests;
    let codes: HashSet<_> = codes.iter().map(|request| request.code).collect();
    assert_eq!(codes.len(), 3);
    assert_eq!(account.channel().turned_away().unwrap()[0].count, 3);
}

pub(crate) fn one_stranger_gets_one_code(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let requested = at_once((&bot, fixture), 4, |_, account| {
        account.request_or_reuse("12345").unwrap()
    });
    let mut codes = HashSet::new();
    let mut created = 0;
    for requested in requested {
        match requested {
            Requested::Created(new) => {
                created += 1;
                codes.insert(new.request.code);
            }
            Requested::Pending(request) => drop(codes.insert(request.code)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((created, codes.len()), (1, 1));
}

pub(crate) fn a_request_is_approved_once(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = create(&bot.telegram(), "12345").request.code;
    let results = at_once((&bot, fixture), 4, |_, account| {
        account.approve(code.as_str(), &owner())
    });
    let approved = results.iter().filter(|result| result.is_ok()).count();
    let used = |result: &&_| matches!(result, Err(DecisionError::NotFound { .. }));
    assert_eq!(approved, 1, "{results:?}");
    assert_eq!(results.iter().filter(used).count(), 3, "{results:?}");
}

pub(crate) fn approved_or_rejected_but_not_both(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = create(&bot.telegram(), "12345").request.code;
    let won = at_once((&bot, fixture), 4, |n, account| {
        if n % 2 == 0 {
            account.approve(code.as_str(), &owner()).is_ok()
        } else {
            account.reject(code.as_str(), &owner()).is_ok()
        }
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let approved = won[0] || won[2];
    let account = bot.another(fixture, 2).telegram();
    assert_eq!(account.is_allowed("12345").unwrap(), approved);
}

pub(crate) fn no_grant_is_lost(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    at_once((&bot, fixture), 4, |n, account| {
        for round in 0..5 {
            let sender = format!("{n}{round}");
            assert!(account.allow(&sender, &owner()).unwrap());
            assert!(account.is_allowed(&sender).unwrap());
        }
    });
    let account = bot.another(fixture, 2).telegram();
    assert_eq!(allowlist(&account).len(), 20);
}

pub(crate) fn no_wrong_code_goes_uncounted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let guesser = operator("phone");
    let results = at_once((&bot, fixture), 4, |_, account| {
        let guess = |_| account.approve(crate::bot::WRONG, &guesser);
        (0..5).map(guess).collect::<Vec<_>>()
    });
    let results: Vec<_> = results.into_iter().flatten().collect();
    let wrong = |result: &&_| matches!(result, Err(DecisionError::NotFound { .. }));
    assert_eq!(results.iter().filter(wrong).count(), 10);
    let until = bot.now() + bot.pairing.limits().lockout;
    for result in results {
        if !matches!(result, Err(DecisionError::NotFound { .. })) {
            assert_locked_out(result, until);
        }
    }
}
