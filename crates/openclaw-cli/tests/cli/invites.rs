//! `openclaw pairing invite` and `openclaw pairing invites`.

use crate::session::{Session, minutes};

#[test]
fn a_code_is_issued_listed_and_ended() {
    let mut session = Session::new();
    session.person("pairing invites telegram");
    session.person("pairing invite telegram");
    session.wait(minutes(1));
    session.pipe("pairing invite telegram --account work --principal user-7 --json");
    session.person("pairing invites telegram");
    session.pipe("pairing invites telegram");
    session.pipe("pairing invites telegram --account work --json");
    let claims = session.service().channel("telegram").unwrap();
    let claims = claims.claims().unwrap();
    assert_eq!(claims.len(), 2);
    session.person(&format!("pairing invite telegram --end {}", claims[0].id()));
    session.pipe(&format!(
        "pairing invite telegram --json --end {}",
        claims[1].id()
    ));
    session.person(&format!("pairing invite telegram --end {}", claims[1].id()));
    session.pipe("pairing invites telegram --json");
    session.finish("invites");
}
