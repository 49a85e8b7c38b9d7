//! `pairing-meta/<channel>.claims.json`: read whatever is in it, and changed no further than it has to be.

use pairing_core::store::Claim;
use pairing_core::{AccountId, Approver, Principal, Record, Timestamp, TokenHash};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

target!(|text: &str| {
    let at = Timestamp::from_millis(1_795_000_000_000);
    rewriting(Format::Claims, text, |rules| {
        let owner = Approver::terminal("ann");
        Record::from(Claim {
            channel: rules.id().clone(),
            account: AccountId::parse("work").expect("an account name"),
            hash: TokenHash::UNKNOWN,
            by: owner.id().clone(),
            via: owner.via(),
            principal: Principal::parse("user-7").ok(),
            issued_at: at,
            expires_at: at,
        })
    });
});
